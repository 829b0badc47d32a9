"""A .npy file that grows by chunks of rows, and that an interrupted run goes on with.

Until it is whole it lies in the folder `<name>.npy.partial`: vectors.npy with the rows so far, and
state.json, which is replaced after each chunk and says how many rows are whole, what they were made
with, and whatever the writer has to remember.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from fairseq_amber.errors import UserError

HEADER_BYTES = 128  # a multiple of 64, so that the rows can be mapped into memory


def npy_header(rows: int, dim: int, dtype: np.dtype) -> bytes:
    """The header of a (rows, dim) array in NPY format 1.0, of the same size for every number."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({rows}, {dim}), }}"
    magic = b"\x93NUMPY\x01\x00"
    size = HEADER_BYTES - len(magic) - 2
    return magic + struct.pack("<H", size) + text.ljust(size - 1).encode("ascii") + b"\n"


class VectorFile:
    """A file of vectors under construction.

    Attributes:
        rows: how many are written.
        notes: what `append` was last told to remember; empty at the start.
    """

    def __init__(self, path: Path, dim: int, dtype: np.dtype, settings: dict[str, Any]):
        """Opens `path`, or goes on where a run with the same settings stopped.

        Args:
            settings: what the rows depend on, for JSON, by the names that the user knows.

        Raises:
            UserError: the rows there are of other settings, or damaged; or the place is no file.
        """
        self.path = path
        self.folder = path.with_name(path.name + ".partial")
        self.rows = 0
        self.notes: dict[str, Any] = {}
        self._dim, self._dtype = dim, dtype
        self._settings = json.loads(json.dumps(settings))
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file to write to")
        if (self.folder / "state.json").exists() and (self.folder / "vectors.npy").exists():
            self._resume()
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self.folder / "vectors.npy", "r+b" if self.rows else "wb")
            self._file.truncate(self._end)
            self._file.seek(self._end)

    def append(self, vectors: np.ndarray, notes: dict[str, Any]) -> None:
        """Adds (n, D) rows, which are safe together with the notes once this returns.

        Raises:
            UserError: the disk is full.
        """
        with self._writing():
            self._file.write(np.ascontiguousarray(vectors, dtype=self._dtype).data)
            self._file.flush()
            os.fsync(self._file.fileno())
            rows = self.rows + len(vectors)
            state = {"rows": rows, "settings": self._settings, "notes": notes}
            temporary = self.folder / "state.json.new"
            temporary.write_text(json.dumps(state, indent=1), encoding="utf-8")
            os.replace(temporary, self.folder / "state.json")
        self.rows, self.notes = rows, notes

    def finish(self) -> None:
        """Puts the whole file in its place."""
        with self._writing():
            self._file.seek(0)
            self._file.write(npy_header(self.rows, self._dim, self._dtype))
            self._file.close()
            os.replace(self.folder / "vectors.npy", self.path)
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leaves what is there for the next run, and nothing if there is nothing."""
        with suppress(OSError):  # of what a full disk did not take, and `append` has reported
            self._file.close()
        if not self.rows:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _end(self) -> int:
        return HEADER_BYTES + self.rows * self._dim * self._dtype.itemsize

    def _resume(self) -> None:
        remedy = f"or delete the folder {self.folder} to begin anew"
        try:
            state = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            before, self.rows, self.notes = state["settings"], state["rows"], state["notes"]
            whole = (self.folder / "vectors.npy").stat().st_size >= self._end
        except (OSError, ValueError, TypeError, KeyError):
            whole = False
        if not whole:
            raise UserError(f"what an interrupted run left is damaged: delete {self.folder}")
        changes = [
            f"{key} {before.get(key)}, not {self._settings.get(key)}"
            for key in sorted({*before, *self._settings})
            if before.get(key) != self._settings.get(key)
        ]
        if changes:
            raise UserError(
                f"an interrupted run began {self.path} with {', '.join(changes)}: give the same "
                f"again, {remedy}"
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot write {self.path}: {error.strerror or error}; mend that, and the same "
                "command goes on"
            ) from None
