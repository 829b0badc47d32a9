"""Gives the sampler the indices, costs and counts of the usable examples of a corpus."""

from __future__ import annotations

import numpy as np

from fairseq_amber.data.alignment.corpora import Corpus, ParallelCorpus


class CorpusSource:
    """The usable examples of a corpus; see ``data.draws.Source``.

    Its indices and costs are computed from the lengths at each access. So memory holds those of one
    corpus alone while an epoch of tens of millions of pairs is planned.

    Args:
        corpus: the text.
        offset: index in the dataset of the corpus's first example.
        costs: (K + 1,) the tokens over all rows of an example, by its length. Sentences longer than
            K are cut, and pairs longer than K are left out. See ``joined`` for the length of a
            pair.
        predicted_counts: (K + 1,) how many tokens an example predicts, by its length.
        side_costs: (K + 1,) further tokens of a pair, by the length of its longer side; None if
            there are none.
        point_and_link_counts: (N, 2) of all examples, the unusable ones included.
        joined: whether the length of a pair is that of both sides together, which share a row;
            otherwise it is that of the longer side.

    Attributes:
        parallel: whether the examples are sentence pairs.
        size: number of usable examples.
        empty: number of examples left out because they, or one of their sides, are empty.
        too_long: number of examples left out because they are too long.
    """

    def __init__(
        self,
        corpus: Corpus,
        offset: int,
        costs: np.ndarray,
        predicted_counts: np.ndarray,
        side_costs: np.ndarray | None = None,
        point_and_link_counts: np.ndarray | None = None,
        *,
        joined: bool = True,
    ):
        self.parallel = corpus.parallel
        self._corpus = corpus
        self._offset = offset
        self._longest = len(costs) - 1
        self._costs = costs
        self._predicted_counts = predicted_counts
        self._side_costs = side_costs
        self._point_and_link_counts = point_and_link_counts
        self._joined = joined
        empty = corpus.empty
        left_out = empty | (self._lengths > self._longest) if corpus.parallel else empty
        self.empty = int(empty.sum())
        self.too_long = int(left_out.sum()) - self.empty
        self.size = len(corpus) - self.empty - self.too_long
        self._usable = None if self.size == len(corpus) else ~left_out

    @property
    def indices(self) -> np.ndarray:
        """(size,) indices of the examples in the dataset."""
        end = self._offset + len(self._corpus)
        dtype = np.int32 if end < 2**31 else np.int64
        return self._usable_only(np.arange(self._offset, end, dtype=dtype))

    @property
    def costs(self) -> np.ndarray:
        """(size,) tokens of each example over all its rows, special tokens included."""
        lengths = self._usable_only(self._lengths)
        costs = self._costs[np.minimum(lengths, self._longest)]
        if self._side_costs is not None and isinstance(self._corpus, ParallelCorpus):
            costs += self._side_costs[self._usable_only(self._corpus.longer_sides)]
        return costs

    def predicted_counts(self, indices: np.ndarray) -> np.ndarray:
        """Returns how many tokens these examples predict: (n,) indices in the dataset -> (n,)."""
        lengths = self._lengths[indices - self._offset]
        return self._predicted_counts[np.minimum(lengths, self._longest)]

    def point_and_link_counts(self, indices: np.ndarray) -> np.ndarray | None:
        """Returns (n, 2), how many points of the target and word links these examples have; None
        if no term needs them."""
        counts = self._point_and_link_counts
        return None if counts is None else counts[indices - self._offset]

    @property
    def _lengths(self) -> np.ndarray:
        """(N,) the lengths of all examples; a new array at each access."""
        if isinstance(self._corpus, ParallelCorpus) and not self._joined:
            return self._corpus.longer_sides
        return self._corpus.lengths

    def _usable_only(self, values: np.ndarray) -> np.ndarray:
        return values if self._usable is None else values[self._usable]
