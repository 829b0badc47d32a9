"""The usable examples of a corpus, without reading their text."""

import numpy as np
import pytest

from fairseq_amber.data.alignment.corpora import MonolingualCorpus, ParallelCorpus
from fairseq_amber.data.alignment.corpus_source import CorpusSource
from toy_examples import stored

COSTS = np.array([4, 6, 8, 10])  # by length, 0 to 3
PREDICTED = np.array([0, 1, 1, 2])


@pytest.fixture
def source(tmp_path):
    """Builds the source of sentences of these lengths, or of pairs of lengths."""

    def build(lengths, offset=100, **settings):
        corpora = {1: MonolingualCorpus, 2: ParallelCorpus}
        sides = list(zip(*lengths)) if isinstance(lengths[0], tuple) else [lengths]
        files = [
            stored(tmp_path / f"{number}", [[9] * length for length in side])
            for number, side in enumerate(sides)
        ]
        corpus = corpora[len(files)]("name", *files)
        return CorpusSource(corpus, offset, COSTS, PREDICTED, **settings)

    return build


def test_empty_and_long_pairs_are_left_out(source):
    counts = np.arange(10).reshape(5, 2)
    found = source([(1, 1), (4, 5), (1, 0), (0, 9), (1, 2)], point_and_link_counts=counts)
    assert found.parallel and (found.size, found.empty, found.too_long) == (2, 2, 1)
    assert found.indices.tolist() == [100, 104]
    assert found.costs.tolist() == [8, 10]
    assert found.predicted_counts(found.indices).tolist() == [1, 2]
    assert found.point_and_link_counts(found.indices[::-1]).tolist() == [[8, 9], [0, 1]]


def test_rows_of_their_own_cost_what_the_longer_side_says(source):
    pairs = [(1, 2), (4, 5), (2, 1), (1, 1)]
    sides = np.array([0, 20, 40, 60])
    found = source(pairs, side_costs=sides)
    assert found.costs.tolist() == [10 + 40, 10 + 40, 8 + 20]
    assert found.costs.tolist() == found.costs.tolist()  # computed anew, not added up
    assert source(pairs).costs.tolist() == [10, 10, 8]


def test_pairs_in_rows_of_their_own_are_left_out_by_their_longer_side(source):
    pairs = [(3, 3), (1, 4), (4, 1), (0, 3), (2, 1), (9, 9)]
    apart = source(pairs, joined=False)
    assert (apart.size, apart.empty, apart.too_long) == (2, 1, 3)
    assert apart.indices.tolist() == [100, 104] and apart.costs.tolist() == [10, 8]
    assert apart.predicted_counts(apart.indices).tolist() == [2, 1]
    assert source(pairs).indices.tolist() == [104]


def test_long_sentences_cost_what_is_left_of_them(source):
    found = source([9, 0, 1])
    assert not found.parallel and (found.size, found.empty, found.too_long) == (2, 1, 0)
    assert found.indices.tolist() == [100, 102]
    assert found.costs.tolist() == [10, 6]
    assert found.predicted_counts(found.indices[::-1]).tolist() == [1, 2]
    assert found.point_and_link_counts(found.indices) is None


@pytest.mark.parametrize("offset, dtype", [(100, np.int32), (2**31, np.int64)])
def test_indices_take_four_bytes_as_long_as_they_can(source, offset, dtype):
    found = source([(1, 1), (1, 2)], offset)
    assert found.indices.dtype == dtype and found.indices.tolist() == [offset, offset + 1]
