"""The folder that a preparation writes: one run at a time, and no file is ever half-written.

Files are made in the sub-folder ``.partial`` and renamed when they are complete. ``files.writing``
does this for single files, but a preparation needs more: a run continues the
work of one that was killed, so that temporary files lie in one place that the next run can empty,
and a file must be on the disk before the manifest says that it is finished.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.manifest import MANIFEST_NAME, PARTIAL_NAME, Manifest


class DataFolder:
    """A data folder that no other run writes to.

    Attributes:
        path: the folder.
        partial: its sub-folder in which files are made.
    """

    def __init__(self, path: Path):
        self.path = path
        self.partial = path / PARTIAL_NAME

    def put(self, name: str, data: bytes) -> None:
        """Writes a file, whose name is relative to the folder, whole or not at all."""
        temporary = self.partial / "file"
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        self.move(temporary, name)

    def move(self, source: Path, name: str) -> None:
        """Moves a finished file of ``partial`` to its place."""
        destination = self.path / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, destination)

    def save(self, manifest: Manifest) -> None:
        """Records the state of the preparation."""
        self.put(MANIFEST_NAME, manifest.encode())

    def discard(self, manifest: Manifest) -> None:
        """Removes all files that a manifest records, then the manifest and empty folders."""
        outputs = [name for corpus in manifest.corpora.values() for name in corpus["outputs"]]
        for name in [*outputs, *manifest.digests, MANIFEST_NAME]:
            with suppress(FileNotFoundError):
                (self.path / name).unlink()
        parents = {parent for name in outputs for parent in Path(name).parents if parent.name}
        for parent in sorted(parents, reverse=True):
            with suppress(OSError):  # it holds files of somebody else
                (self.path / parent).rmdir()


@contextmanager
def open_data_folder(path: Path) -> Iterator[DataFolder]:
    """Makes the folder, keeps other runs out of it, and leaves no temporary file behind.

    Yields:
        The folder, for this run alone.

    Raises:
        UserError: another run is writing there, the folder cannot be written to, or the disk
            becomes full in the block.
    """
    folder = DataFolder(path)
    is_new = not path.exists()
    try:
        folder.partial.mkdir(parents=True, exist_ok=True)
        with open(folder.partial / "lock", "w") as lock:
            _lock(lock, path)
            try:
                _remove_leftovers(folder.partial)
                yield folder
            finally:
                shutil.rmtree(folder.partial, ignore_errors=True)
                if is_new:
                    with suppress(OSError):
                        path.rmdir()  # this succeeds only if nothing was written
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"the disk is full: {path} could not be finished; make room and run the same "
                "command again, it continues from what is finished"
            ) from None
        raise UserError(f"cannot write {error.filename or path}: {error.strerror}") from None


def _lock(lock, path: Path) -> None:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # some network file systems have no locks; there, the user must not start two runs at once
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(
                f"another fairseq-amber prepare is writing {path}; wait for it or name another "
                "folder"
            ) from None


def _remove_leftovers(partial: Path) -> None:
    """Removes the temporary files that a killed run has left."""
    for path in partial.iterdir():
        if path.name != "lock":
            path.unlink()
