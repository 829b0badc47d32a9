"""The folder of a training run: which of its checkpoints are whole, and which is the newest."""

from __future__ import annotations

import errno
import os
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import map_torch_file

# The names that fairseq-train gives: of the last, the best, an epoch, or an update.
_NAME = re.compile(r"checkpoint(_last|_best|\.best_.+|\d+|_\d+_\d+)\.pt")
# What a file of this name is until it is whole: fairseq's, and that of files.writing with its lock.
_STEM = _NAME.pattern[: -len(r"\.pt")]
_SIDE_FILE = re.compile(rf"{_STEM}\.pt\.tmp|\.{_STEM}\.amber-partial\.pt|\.{_STEM}\.pt\.amber-lock")
_ARCHIVE = b"PK\3\4"


class SavedRun(NamedTuple):
    """A whole checkpoint of ``fairseq-train``.

    Attributes:
        path: the file.
        updates: how many updates its run had made.
    """

    path: Path
    updates: int


def check_checkpoint(path: str | Path) -> dict[str, Any]:
    """Checks that a checkpoint is whole, and reads what it holds beside its tensors.

    A checkpoint of today's torch is a zip archive. Its directory is at the end of the file, so
    that a file that was cut short has none; and every record's checksum is compared, which torch
    does not do when it loads one. This reads the file once, at the speed of the disk, shortly
    before it is loaded. The tensors of the result are not read.

    Returns:
        The checkpoint, with the weights in ``model``.

    Raises:
        UserError: the file cannot be read, is damaged, or is no checkpoint of ``fairseq-train``.
            The message names the file and the fault, and no remedy.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(len(_ARCHIVE))
            if not start:
                raise UserError(f"{path} is empty")
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    whole = archive.testzip() is None
                if not whole:
                    raise UserError(f"{path} is damaged: a checksum in it is wrong")
            elif start == _ARCHIVE:
                raise UserError(f"{path} is damaged: it was cut short")
    except OSError as error:
        if error.errno == errno.EINVAL:  # an offset in it is before the beginning of the file
            raise UserError(f"{path} is damaged: its beginning is missing") from None
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        raise UserError(f"{path} is damaged: it is not a whole archive") from None
    try:
        state = map_torch_file(path)
    except UserError as error:
        raise UserError(str(error).rpartition("; ")[0]) from None  # whose remedy is the caller's
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise UserError(f"{path} is not a checkpoint of fairseq-train (checkpoint_*.pt)")
    return state


def checkpoints_of(folder: str | Path) -> list[Path]:
    """Returns the checkpoints that fairseq-train has written to a folder, by name."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Path(folder, name) for name in names if _NAME.fullmatch(name)]


def newest_whole(folder: str | Path) -> SavedRun | None:
    """Finds the whole checkpoint of a folder that has made the most updates; None if none is whole.

    The time of a file says nothing: a copy may be newer than what was written after it.
    """
    found = []
    for path in checkpoints_of(folder):
        try:
            history = check_checkpoint(path)["optimizer_history"]
            found.append(SavedRun(path, int(history[-1]["num_updates"])))
        except (UserError, LookupError, TypeError):
            continue
    return max(found, key=lambda saved: saved.updates, default=None)


def remove_side_files(folder: str | Path) -> None:
    """Removes what trainings that were killed while they saved have left in a folder.

    Call it only while the folder is locked (``files.locks``).
    """
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if _SIDE_FILE.fullmatch(name):
            os.unlink(os.path.join(folder, name))
