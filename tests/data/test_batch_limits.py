import numpy as np
import pytest
from fairseq.data import data_utils

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.sampling import plan_validation
from toy_sources import as_lists, sources_of, toy_sources


def random_limits(rng, longest):
    return BatchLimits(
        int(longest * rng.integers(1, 12)) if rng.random() < 0.8 else None,
        int(rng.integers(1, 40)) if rng.random() < 0.5 else None,
        int(rng.choice([1, 2, 8])),
    )


def batches_of_fairseq(costs, limits):
    order = np.argsort(costs, kind="stable")
    batches = data_utils.batch_by_size(
        order,
        num_tokens_fn=None,
        num_tokens_vec=costs[order],
        max_tokens=limits.max_tokens,
        max_sentences=limits.max_sentences,
        required_batch_size_multiple=limits.multiple,
    )
    return [batch.tolist() for batch in batches if len(batch)]


def test_batches_are_those_of_fairseq():
    """Against fairseq's batching, which looks at every example."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        costs = rng.integers(1, rng.integers(2, 80), rng.integers(1, 200)) * rng.integers(1, 4)
        limits = random_limits(rng, costs.max())
        batches = plan_validation(sources_of([costs], [True]), limits, world=1)
        assert as_lists(batches) == batches_of_fairseq(costs, limits)


def test_a_batch_has_as_many_examples_as_its_last_one_allows():
    rng = np.random.default_rng(1)
    for _ in range(200):
        ends = np.cumsum(rng.integers(1, 20, rng.integers(1, 12)))
        largest = np.sort(rng.integers(1, 30, len(ends)))[::-1]
        multiple = int(rng.choice([1, 4]))
        cuts = BatchLimits(multiple=multiple).cut(largest, ends)
        allowed = np.repeat(largest, np.diff(ends, prepend=0))  # of each example
        assert cuts[-1] == ends[-1]
        for start, cut in zip([0, *cuts], cuts):
            size = cut - start
            assert 0 < size <= allowed[cut - 1]
            if cut < ends[-1]:
                assert size <= multiple or size % multiple == 0
                larger = size + (multiple if size >= multiple else 1)
                assert start + larger > ends[-1] or larger > allowed[start + larger - 1]


def test_the_largest_number_of_examples():
    costs = np.array([5, 10, 90])
    assert BatchLimits(100).largest(costs).tolist() == [20, 10, 1]
    assert BatchLimits(100, 12).largest(costs).tolist() == [12, 10, 1]
    assert BatchLimits(None, 12).largest(costs).tolist() == [12] * 3
    assert BatchLimits(100).largest(costs, np.array([0, 35, 99])).tolist() == [20, 6, 1]
    assert BatchLimits(80).largest(costs, np.zeros(3)).tolist() == [16, 8, 1]
    with pytest.raises(ValueError, match="an example of 90 tokens exceeds 80"):
        BatchLimits(80).largest(costs)


def test_an_example_larger_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="exceeds 40"):
        plan_validation(toy_sources(), BatchLimits(max_tokens=40), world=1)
