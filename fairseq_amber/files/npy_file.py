"""Checks the header of an array in NumPy's format (.npy) before room is made for the array."""

from __future__ import annotations

import math
import tokenize
from typing import BinaryIO

import numpy as np

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What NumPy raises for headers of damaged bytes, which it parses as Python.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, SyntaxError, EOFError),
    *(OverflowError, RecursionError, MemoryError, tokenize.TokenError),
)


def check_npy(stream: BinaryIO, size: int) -> None:
    """Checks that a stream holds all values of the array that its header promises.

    Args:
        stream: the stream, at the start of the array.
        size: number of bytes in the stream.

    Raises:
        ValueError: the header is damaged, of a version that NumPy does not write for plain arrays,
            of Python objects, or promises more than there is.
        OSError: the stream cannot be read.
    """
    try:
        shape, _, dtype = _READERS[np.lib.format.read_magic(stream)](stream)
    except _DAMAGE:
        raise ValueError("a damaged header") from None
    if dtype.hasobject or any(not isinstance(n, int) or n < 0 for n in shape):
        raise ValueError("not an array of plain values")
    if math.prod(shape) * dtype.itemsize > size - stream.tell():
        raise ValueError("the header promises more values than there are")
