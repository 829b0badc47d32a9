"""Where the rows of sentences begin among the states, against states that are listed one by one."""

import numpy as np
import pytest

from fairseq_amber.data.alignment.example import RowStarts
from toy_examples import states_of


@pytest.mark.parametrize("shapes", [[(1, 3)], [(4, 7)], [(2, 5), (1, 9)], [(3, 4), (1, 4), (5, 6)]])
def test_rows_begin_where_the_states_of_their_sentences_begin(shapes):
    starts = RowStarts.of(shapes)
    pairs = range(sum(count for count, _ in shapes))
    together, alone = states_of(shapes), states_of(shapes, sides=[0])
    for side, begins in enumerate((starts.first, starts.second)):
        assert [together[begin] for begin in begins] == [(pair, side, 0) for pair in pairs]
    assert [alone[begin] for begin in starts.alone] == [(pair, 0, 0) for pair in pairs]
    assert {one.dtype for one in starts} == {np.dtype(np.int64)}


def test_a_micro_batch_without_pairs_has_no_rows_of_pairs():
    for begins in RowStarts.of([]):
        assert begins.shape == (0,) and begins.dtype == np.int64
