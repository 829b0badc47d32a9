"""Several token files as one, as stock fairseq reads ``train``, ``train1``, ``train2``, ..."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

from fairseq_amber.data.token_file import TokenFile


class JoinedTokenFile(TokenFile):
    """The sentences of several files, one after the other.

    Args:
        files: the files, at least one; each has a sentence.

    Attributes:
        files: the files.
    """

    def __init__(self, files: Sequence[TokenFile]):
        self.files = list(files)
        self.prefix = self.files[0].prefix
        self.sizes = np.concatenate([file.sizes for file in self.files])
        self._first = np.cumsum([0, *map(len, self.files)])[:-1].tolist()
        self._before = np.cumsum([0, *(file.tokens for file in self.files)])[:-1].tolist()

    def __getitem__(self, index: int) -> np.ndarray:
        number, inside = self.find(index)
        return self.files[number][inside]

    def head(self, sentences: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``TokenFile.head``."""
        parts, left = [], sentences
        for file in self.files:
            parts.append(file.head(left)[0])
            left = max(0, left - len(file))
        return np.concatenate(parts), np.cumsum(self.sizes[:sentences], dtype=np.int64)

    @property
    def tokens(self) -> int:
        """The number of ids of all sentences."""
        return sum(file.tokens for file in self.files)

    def place(self, index: int) -> int:
        """See ``TokenFile.place``."""
        number, inside = self.find(index)
        return self._before[number] + self.files[number].place(inside)

    def count(self, flags: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
        """See ``TokenFile.count``."""

        def counts(file: TokenFile, before: int) -> np.ndarray:
            return file.count(lambda tokens, start: flags(tokens, before + start))

        return np.concatenate([counts(*part) for part in zip(self.files, self._before)])

    def find(self, index: int) -> tuple[int, int]:
        """Returns the number of the file of a sentence, and the sentence's number in it."""
        number = bisect_right(self._first, index) - 1
        return number, int(index) - self._first[number]

    def __getstate__(self) -> list[Path]:  # type: ignore[override]
        return [file.prefix for file in self.files]

    def __setstate__(self, prefixes: list[Path]) -> None:  # type: ignore[override]
        self.__init__([TokenFile(prefix) for prefix in prefixes])  # type: ignore[misc]
