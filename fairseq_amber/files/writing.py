"""Writes a file or a folder whole or not at all, with the permissions that the umask gives."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from fairseq_amber.errors import UserError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Gives a temporary file that is renamed to ``path`` once the block has ended without error.

    This is for libraries that take the name of a file, such as matplotlib. The temporary file lies
    beside ``path`` and has the same suffix.

    Yields:
        The path of the temporary file.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
        )
        os.close(descriptor)
        yield Path(temporary)
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            os.unlink(temporary)


@contextmanager
def atomic_writer(path: str | Path, *, binary: bool = False) -> Iterator[Any]:
    """Opens a file that appears under its name once the block has ended without error.

    Args:
        path: the file.
        binary: whether to open it for bytes, in place of UTF-8 text.

    Yields:
        The open file.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    text: dict[str, Any] = {} if binary else {"encoding": "utf-8", "newline": "\n"}
    with atomic_path(path) as temporary:
        with open(temporary, "wb" if binary else "w", **text) as file:
            yield file


@contextmanager
def atomic_folder(path: str | Path, *, last: str | None = None) -> Iterator[Path]:
    """Gives a temporary folder that is renamed to ``path`` once the block has ended without error.

    Args:
        path: the folder. If it exists and is empty, the new folder replaces it.
        last: the name of a file that lists the other files. If it is given and ``path`` holds
            files already, the new files are moved into it one by one, this file last.

    Yields:
        The path of the temporary folder, which lies beside ``path``.

    Raises:
        UserError: the parent folder cannot be written to, ``path`` holds files and ``last`` is not
            given, or the disk is full.
    """
    path = Path(path)
    working = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield working
        if last is not None and path.is_dir() and any(path.iterdir()):
            for file in sorted(working.iterdir(), key=lambda file: file.name == last):
                os.replace(file, path / file.name)
        else:
            working.chmod(0o777 & ~umask())
            os.replace(working, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if working is not None:
            shutil.rmtree(working, ignore_errors=True)


def umask() -> int:
    """Returns the permission bits that this process removes from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
