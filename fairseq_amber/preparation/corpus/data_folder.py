"""The folder that a preparation writes: one run at a time, and no file is ever half-written.

Files are made in the sub-folder ``.partial`` and renamed when they are complete. ``files.writing``
does this for single files, but a preparation needs more: a run continues the
work of one that was killed, so that temporary files lie in one place that the next run can empty,
and a file must be on the disk before the manifest says that it is finished.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

from fairseq_amber.errors import UserError
from fairseq_amber.files.locks import locked
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
        destination = self._place_of(name)
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, destination)

    def _place_of(self, name: str) -> Path:
        """Returns the path of a file of this folder, to which no link leads out of it.

        Raises:
            UserError: a part of the path is a link out of the folder.
        """
        place = self.path / name
        root = Path(os.path.realpath(self.path))
        parent = Path(os.path.realpath(place.parent))
        if root != parent and root not in parent.parents:
            raise UserError(
                f"{place.parent} leads out of {self.path} by a link; remove the link, or name "
                "another folder"
            )
        return place

    def save(self, manifest: Manifest) -> None:
        """Records the state of the preparation."""
        self.put(MANIFEST_NAME, manifest.encode())

    def discard(self, manifest: Manifest) -> None:
        """Removes all files that a manifest records, then the manifest and empty folders."""
        outputs = [name for corpus in manifest.corpora.values() for name in corpus["outputs"]]
        places = [self._place_of(name) for name in [*outputs, *manifest.digests, MANIFEST_NAME]]
        for place in places:
            with suppress(FileNotFoundError):
                place.unlink()
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
        with locked(path):
            if folder.partial.is_symlink():
                raise UserError(f"cannot write {path}: {folder.partial} is a link; remove it")
            folder.partial.mkdir(parents=True, exist_ok=True)
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


def _remove_leftovers(partial: Path) -> None:
    """Removes the temporary files that a killed run has left."""
    for path in partial.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
