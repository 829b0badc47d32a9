"""Writes a file or a folder whole or not at all, with the permissions that the umask gives.

Until it is complete, it has a hidden name beside its own, which only the holder of its lock uses
(``files.locks``). What a program that was killed has left under that name, the next one removes.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator

from fairseq_amber.errors import UserError, file_error
from fairseq_amber.files.locks import hidden_name, is_empty, is_stream, locked, real_path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Gives a temporary file that is renamed to ``path`` once the block has ended without error.

    This is for libraries that take the name of a file, such as matplotlib. The temporary file lies
    beside ``path`` and has the same suffix. A pipe or a device gets the content as it is.

    Yields:
        The path of the temporary file.

    Raises:
        UserError: the path is a folder, its folder cannot be written to, the disk is full, or
            another process is writing this file.
    """
    place = real_path(path)
    if place.is_dir():
        raise UserError(f"{path} is a folder; name a file to write to")
    with _clear_errors(path):
        if is_stream(place):
            with tempfile.TemporaryDirectory() as folder:
                temporary = Path(folder, place.name)
                yield temporary
                with open(temporary, "rb") as content, open(place, "wb") as stream:
                    shutil.copyfileobj(content, stream)
            return
        with locked(path):
            temporary = place.with_name(f".{place.stem}.amber-partial{place.suffix}")
            _remove(temporary)
            # O_EXCL: whatever somebody else puts there is an error, and no link is followed
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            permissions = stat.S_IMODE(temporary.stat().st_mode)
            try:
                yield temporary
                _complete_file(temporary, permissions)
                os.replace(temporary, place)
            except BaseException:
                _remove(temporary)
                raise


@contextmanager
def atomic_writer(path: str | Path, *, binary: bool = False) -> Iterator[Any]:
    """Opens a file that appears under its name once the block has ended without error.

    Args:
        path: the file.
        binary: whether to open it for bytes, in place of UTF-8 text.

    Yields:
        The open file.

    Raises:
        UserError: the folder cannot be written to, the disk is full, or another process is writing
            this file.
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
            files already, the new files are moved into it one by one, this file last; see
            ``finish_moving``.

    Yields:
        The path of the temporary folder, which lies beside ``path``, or inside of it where
        this user can write to nothing beside it.

    Raises:
        UserError: the parent folder cannot be written to, ``path`` holds files and ``last`` is not
            given, the disk is full, or another process is writing this folder.
    """
    place = real_path(path)
    with _clear_errors(path), locked(path):
        working = hidden_name(place, "amber-partial")
        inside = working.parent == place
        if inside and last is None:
            if not is_empty(place):
                raise UserError(
                    f"{path} is not empty; name another folder, or remove what it holds"
                )
            _remove(_complete_folder(place))  # of a program that was killed
        _remove(working)
        os.mkdir(working)
        permissions = stat.S_IMODE(working.stat().st_mode) & 0o666
        try:
            yield working
            for file in working.rglob("*"):
                if file.is_file():
                    _complete_file(file, permissions)
            if inside or (last is not None and place.is_dir() and not is_empty(place)):
                os.rename(working, _complete_folder(place))
                finish_moving(path, last)
            else:
                os.replace(working, place)
        except BaseException:
            _remove(working)
            raise


def finish_moving(path: str | Path, last: str | None) -> None:
    """Moves files into a folder, which were complete when the program that wrote them was killed.

    ``atomic_folder`` puts new files into an existing folder one by one. Whoever is going to read
    such a folder and then write to it calls this first, so that it never sees half of them.

    Args:
        path: the folder.
        last: the name of the file that is moved last; None if it does not matter.

    Raises:
        UserError: the folder cannot be written to, or another process is writing it.
    """
    complete = _complete_folder(real_path(path))
    if not complete.is_dir():
        return
    with _clear_errors(path), locked(path):
        for file in sorted(complete.iterdir(), key=lambda file: file.name == last):
            os.replace(file, real_path(path) / file.name)
        complete.rmdir()


def _complete_folder(place: Path) -> Path:
    """Returns the name of the folder whose files are complete and are to be moved."""
    return hidden_name(place, "amber-complete")


def _remove(path: Path) -> None:
    """Removes a file, a link or a folder, if it is there. Links are not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _complete_file(path: Path, permissions: int) -> None:
    """Waits until the content of a file is on the disk, and gives it its permissions.

    Thus its new name never stands for less than the whole, even if the machine stops. Some
    libraries write a file that its owner alone may read.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != permissions:
            os.fchmod(descriptor, permissions)
    finally:
        os.close(descriptor)


@contextmanager
def _clear_errors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        elsewhere = None if _concerns(error.filename, real_path(path)) else file_error(error)
        raise elsewhere or UserError(f"cannot write {path}: {error.strerror or error}") from None


def _concerns(name: Any, place: Path) -> bool:
    """Tells whether an error that names a file is of writing a path, not of reading another."""
    if not isinstance(name, str):
        return True
    found = Path(os.path.abspath(name))
    return ".amber-" in name or found in (place, *place.parents) or place in found.parents
