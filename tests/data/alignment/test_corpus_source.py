"""The usable examples of a corpus, without reading their text."""

from argparse import Namespace

import numpy as np
import pytest

from fairseq_amber.data.alignment.corpus_source import CorpusSource

COSTS = np.array([4, 6, 8, 10])  # by length, 0 to 3
PREDICTED = np.array([0, 1, 1, 2])


class Corpus(Namespace):
    """Examples of these lengths, some of them empty."""

    def __len__(self):
        return len(self.lengths)


def source(parallel, lengths, empty, counts=None):
    corpus = Corpus(parallel=parallel, lengths=np.array(lengths), empty=np.array(empty))
    return CorpusSource(corpus, 100, COSTS, PREDICTED, counts)


def test_empty_and_long_pairs_are_left_out():
    counts = np.arange(10).reshape(5, 2)
    found = source(True, [2, 9, 1, 9, 3], [False, False, True, True, False], counts)
    assert (found.size, found.empty, found.too_long) == (2, 2, 1)
    assert found.indices.tolist() == [100, 104]
    assert found.costs.tolist() == [8, 10]
    assert found.predicted_counts.tolist() == [1, 2]
    assert found.point_and_link_counts.tolist() == [[0, 1], [8, 9]]


def test_long_sentences_cost_what_is_left_of_them():
    found = source(False, [9, 0, 1], [False, True, False])
    assert (found.size, found.empty, found.too_long) == (2, 1, 0)
    assert found.indices.tolist() == [100, 102]
    assert found.costs.tolist() == [10, 6]
    assert found.predicted_counts.tolist() == [2, 1]
    assert found.point_and_link_counts is None


@pytest.mark.parametrize("offset, dtype", [(100, np.int32), (2**31, np.int64)])
def test_indices_take_four_bytes_as_long_as_they_can(offset, dtype):
    corpus = Corpus(parallel=True, lengths=np.array([1, 2]), empty=np.array([False, False]))
    found = CorpusSource(corpus, offset, COSTS, PREDICTED)
    assert found.indices.dtype == dtype and found.indices.tolist() == [offset, offset + 1]
