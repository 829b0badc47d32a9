"""The folder that a conversion writes: a new folder that appears complete or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from fairseq_amber.errors import UserError
from fairseq_amber.files.locks import is_empty
from fairseq_amber.files.torch_file import save
from fairseq_amber.files.writing import atomic_folder


class OutputFolder:
    """Collects the files of a folder.

    Attributes:
        path: the path at which the complete folder will appear.
        working: the folder in which its files are made.
    """

    def __init__(self, path: Path, working: Path):
        self.path = path
        self.working = working

    def put(self, name: str, data: bytes) -> None:
        """Writes a file."""
        place = self.working / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def put_checkpoint(self, name: str, state: Any) -> None:
        """Writes a file of torch.save."""
        save(state, self.working / name)


@contextmanager
def output_folder(path: Path) -> Iterator[OutputFolder]:
    """Opens a folder that appears under its name when the block ends without an error.

    Yields:
        The folder to write to.

    Raises:
        UserError: a folder of this name holds something, or the folder cannot be written to.
    """
    if path.exists() and not (path.is_dir() and is_empty(path)):
        raise UserError(f"{path} exists and is not empty; name another folder, or remove it")
    with atomic_folder(path) as working:
        yield OutputFolder(path, working)
