"""Sentence vectors of length one, read piece by piece from a file or from memory."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.errors import UserError

PIECE = 16384  # rows that are worked on at once where nothing asks for another number


def open_vectors(path: Path) -> np.ndarray:
    """The (N, D) floats of a .npy file, memory-mapped.

    Raises:
        UserError: the file cannot be read, or is not of this kind.
    """
    try:
        array = np.load(path, mmap_mode="r")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, EOFError):
        array = None
    if array is None or array.ndim != 2 or array.dtype.kind != "f" or array.size == 0:
        raise UserError(
            f"{path} is no .npy of floats (N, D), or is not whole; make it with fairseq-amber embed"
        )
    return array


class UnitVectors:
    """Some rows of an (N, D) array, scaled to length one and read piece by piece.

    The array is left as it is, memory-mapped and in half precision if it is so.

    Args:
        vectors: numpy array or tensor of floats.
        rows: which of them, as ascending indices; by default all.
        device: where to work with them; by default where they are.
        name: what to call the vectors in errors.

    Raises:
        UserError: a vector is not finite.
    """

    def __init__(
        self,
        vectors: np.ndarray | Tensor,
        rows: np.ndarray | None = None,
        *,
        device: torch.device | None = None,
        name: str = "vectors",
    ):
        self._vectors = vectors
        self._rows = None if rows is None or len(rows) == len(vectors) else rows
        self.dim = vectors.shape[1]
        at = vectors.device if isinstance(vectors, Tensor) else torch.device("cpu")
        self.device = device or at
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
        return len(self._scale)

    def __getitem__(self, which: slice | np.ndarray) -> Tensor:
        """Unit rows (n, D), float32, on the device."""
        piece = self._vectors[which if self._rows is None else self._rows[which]]
        if not isinstance(piece, Tensor):
            piece = torch.from_numpy(np.array(piece))
        return piece.to(self.device).float() * self._scale[which]

    def pieces(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Unit rows from start on, with start, `size` at a time."""
        for start in range(0, len(self), size):
            yield start, self[start : start + size]
