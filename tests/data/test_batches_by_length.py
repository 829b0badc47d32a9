import pytest

from fairseq_amber.data.batches_by_length import batches_by_length, distinct, evenly_spread


@pytest.mark.parametrize("lengths", [[], [7], [3, 9, 2, 9, 100, 1]])
def test_batches_hold_every_index_once_within_the_limit(lengths):
    batches = [batch.tolist() for batch in batches_by_length(lengths, 20)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 20
    order = [lengths[i] for batch in batches for i in batch]
    assert order == sorted(order, reverse=True)


def test_distinct_keeps_the_first_of_each_and_where_all_lie():
    unique, row_of = distinct(["b", "a", "b", "c", "a"])
    assert unique == ["b", "a", "c"] and row_of.tolist() == [0, 1, 0, 2, 1]
    assert distinct([])[0] == []


def test_a_few_are_spread_over_all():
    assert evenly_spread(9, 3).tolist() == [0, 4, 8]
    assert evenly_spread(3, 9).tolist() == [0, 1, 2]
    assert evenly_spread(5, 1).tolist() == [0]
