"""Names what a clone holds in the place of large files where Git LFS is not installed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fairseq_amber.errors import UserError

_POINTER = b"version https://git-lfs"


def check_no_pointer(start: bytes, name: str | Path) -> None:
    """Checks that a file is none of the pointers of Git LFS.

    Args:
        start: the content of the file, or its first 23 bytes or more.
        name: the file, which an error names.

    Raises:
        UserError: it is a pointer.
    """
    if start.startswith(_POINTER):
        raise UserError(
            f"{name} is a pointer of Git LFS, not the file that it stands for; fetch that with "
            "git lfs pull"
        )


def check_file(path: str | Path) -> None:
    """Checks that a file is no pointer; whether it can be read is for its reader to say.

    Raises:
        UserError: it is a pointer.
    """
    with suppress(OSError), open(path, "rb") as file:
        check_no_pointer(file.read(len(_POINTER)), path)
