"""Sentence vectors scaled to length one, read piece by piece from a file or from memory."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.errors import UserError
from fairseq_amber.files.npy_file import check_npy

PIECE = 16384  # number of rows that are read at once


def open_vectors(path: Path) -> np.ndarray:
    """Opens the (N, D) array of floats in a .npy file, memory-mapped.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    try:
        with open(path, "rb") as stream:
            check_npy(stream, path.stat().st_size)
        array = np.load(path, mmap_mode="r")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        array = None
    if array is None or array.ndim != 2 or array.dtype.kind != "f" or array.size == 0:
        raise UserError(
            f"{path} is not a complete .npy of floats (N, D); make it with fairseq-amber embed"
        )
    return array


class UnitVectors:
    """Rows of an (N, D) array of floats, scaled to length one when they are read.

    The array itself stays as it is: memory-mapped, or in half precision. Rows of zeros stay zeros.

    Attributes:
        dim: D.
        device: the device that holds the rows after reading.
    """

    def __init__(
        self,
        vectors: np.ndarray | Tensor,
        rows: np.ndarray | None = None,
        *,
        device: torch.device | None = None,
        name: str = "vectors",
    ):
        """Computes the length of each row.

        Args:
            vectors: (N, D) array or tensor.
            rows: ascending indices of the rows to take; by default all.
            device: where to put the rows; by default the device of ``vectors``.
            name: the name of the vectors in error messages.

        Raises:
            UserError: a vector is NaN or infinite.
        """
        self._vectors = vectors
        self._rows = None if rows is None or len(rows) == len(vectors) else rows
        self.dim = vectors.shape[1]
        source_device = vectors.device if isinstance(vectors, Tensor) else torch.device("cpu")
        self.device = device or source_device
        self._scale = torch.ones(len(vectors if rows is None else rows), 1, device=self.device)
        for start, piece in self.pieces(PIECE):
            norms = piece.norm(dim=1, keepdim=True)
            if not norms.isfinite().all():
                row = start + int(norms.isfinite().logical_not().nonzero()[0, 0])
                number = row if self._rows is None else int(self._rows[row])
                raise UserError(
                    f"{name}: the vector of row {number + 1} is NaN or infinite; embed the text "
                    "with another checkpoint, or with --dtype float32 or bfloat16"
                )
            self._scale[start : start + PIECE] = 1 / norms.clamp(min=1e-12)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self._scale)

    def __getitem__(self, rows: slice | np.ndarray) -> Tensor:
        """Returns rows of length one: (n, D) float32 on the device."""
        piece = self._vectors[rows if self._rows is None else self._rows[rows]]
        if not isinstance(piece, Tensor):
            piece = torch.from_numpy(_native(piece))
        return piece.to(self.device).float() * self._scale[rows]

    def pieces(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Yields pieces (n, D) of up to ``size`` rows, each after the index of its first row."""
        for start in range(0, len(self), size):
            yield start, self[start : start + size]


def _native(array: np.ndarray) -> np.ndarray:
    """Returns a copy in the byte order of this machine, of a precision that torch has."""
    return np.array(array, dtype=f"=f{min(array.dtype.itemsize, 8)}")
