"""A .npy file that grows by chunks of rows, and that a run can continue after an interruption.

Until the file is complete, the folder ``<name>.npy.partial`` holds vectors.npy with the rows so
far, and state.json, which is replaced after each chunk. state.json holds the number of complete
rows, their digest, the settings with which they were computed, and the notes of the writer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import parse_json, read_bytes, write_json
from fairseq_amber.files.locks import locked

HEADER_BYTES = 128  # a multiple of 64, as NumPy aligns the rows for memory mapping
_BLOCK = 1 << 20  # bytes that are read at a time
_REMEDY = "mend that, and the same command continues"


def npy_header(rows: int, dim: int, dtype: np.dtype) -> bytes:
    """Returns the header of a (rows, dim) array in NPY format 1.0, of ``HEADER_BYTES`` bytes."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({rows}, {dim}), }}"
    magic = b"\x93NUMPY\x01\x00"
    size = HEADER_BYTES - len(magic) - 2
    return magic + struct.pack("<H", size) + text.ljust(size - 1).encode("ascii") + b"\n"


class VectorFile:
    """A file of vectors that is being written, by one process at a time.

    Attributes:
        path: the path at which the complete file will appear.
        folder: the folder that holds the rows until then.
        rows: number of complete rows.
        notes: what the last ``append`` stored beside the rows; empty at the start.
    """

    def __init__(self, path: Path, dim: int, dtype: np.dtype, settings: dict[str, Any]):
        """Starts a file, or continues where a run with the same settings stopped.

        Args:
            path: the path at which the complete file will appear.
            dim: D, the size of a vector.
            dtype: dtype of the file.
            settings: JSON values on which the rows depend, by names that the user knows.

        Raises:
            UserError: another process is writing this file, a run with other settings has begun
                it, the files that a run left are damaged, or ``path`` cannot be written to.
        """
        self.path = path
        self.folder = path.with_name(path.name + ".partial")
        self.rows = 0
        self.notes: dict[str, Any] = {}
        self._dim, self._dtype = dim, dtype
        self._settings = json.loads(json.dumps(settings))
        self._digest = hashlib.blake2b(digest_size=16)
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file to write to")
        with ExitStack() as lock:
            lock.enter_context(locked(path))
            if (self.folder / "state.json").exists() and (self.folder / "vectors.npy").exists():
                self._resume()
            with self._writing():
                self.folder.mkdir(parents=True, exist_ok=True)
                self._file = open(self.folder / "vectors.npy", "r+b" if self.rows else "wb")
                self._file.truncate(self._end)
                self._file.seek(self._end)
            self._lock = lock.pop_all()

    def append(self, vectors: np.ndarray, notes: dict[str, Any]) -> None:
        """Adds rows (n, D). Once this returns, an interruption loses neither rows nor notes.

        Raises:
            UserError: the disk is full.
        """
        data = np.ascontiguousarray(vectors, dtype=self._dtype).data
        digest = self._digest.copy()
        digest.update(data)
        with self._writing():
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
            rows = self.rows + len(vectors)
            state = {
                "rows": rows,
                "digest": digest.hexdigest(),
                "settings": self._settings,
                "notes": notes,
            }
            write_json(self.folder / "state.json", state)
        self.rows, self.notes, self._digest = rows, notes, digest

    def finish(self) -> None:
        """Completes the file, moves it to ``path`` and lets others write it."""
        with self._lock:
            with self._writing():
                self._file.seek(0)
                self._file.write(npy_header(self.rows, self._dim, self._dtype))
                self._file.close()
                os.replace(self.folder / "vectors.npy", self.path)
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leaves the rows for the next run to continue; removes the folder if there are none."""
        with self._lock:
            with suppress(OSError):  # ``append`` has reported that a full disk did not take them
                self._file.close()
            if not self.rows:
                shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _end(self) -> int:
        return HEADER_BYTES + self.rows * self._dim * self._dtype.itemsize

    def _resume(self) -> None:
        """Reads the state that an interrupted run has left."""
        damaged = f"what an interrupted run left is damaged: delete {self.folder}"
        state = parse_json(read_bytes(self.folder / "state.json"), damaged)
        before, rows, notes = (state.get(key) for key in ("settings", "rows", "notes"))
        if not (isinstance(before, dict) and isinstance(notes, dict) and type(rows) is int):
            raise UserError(damaged)
        self.rows, self.notes = rows, notes
        changes = [
            f"{key} {before.get(key)}, not {self._settings.get(key)}"
            for key in sorted({*before, *self._settings})
            if before.get(key) != self._settings.get(key)
        ]
        if changes:
            raise UserError(
                f"an interrupted run began {self.path} with {', '.join(changes)}: give the same "
                f"settings, or delete the folder {self.folder} to start again"
            )
        if rows < 0 or not self._rows_are_whole(state.get("digest")):
            raise UserError(damaged)

    def _rows_are_whole(self, digest: object) -> bool:
        """Reads the rows again, and tells whether they have this digest."""
        left = self._end - HEADER_BYTES
        with self._writing(), open(self.folder / "vectors.npy", "rb") as file:
            file.seek(HEADER_BYTES)
            while left:
                data = file.read(min(left, _BLOCK))
                if not data:
                    return False
                self._digest.update(data)
                left -= len(data)
        return self._digest.hexdigest() == digest

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns errors of writing into one clear line with the remedy."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot write {self.path}: {error.strerror or error}; {_REMEDY}"
            ) from None
        except UserError as error:  # raised while writing state.json
            raise UserError(f"{error}; {_REMEDY}") from None
