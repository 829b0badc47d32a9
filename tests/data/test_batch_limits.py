import numpy as np
import pytest
from fairseq.data import data_utils

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.sampling import plan_validation
from toy_sources import Source, as_lists, toy_sources


def test_batches_are_those_of_fairseq():
    """Against fairseq's batching, which looks at every example."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        costs = rng.integers(1, rng.integers(2, 80), rng.integers(1, 200)) * rng.integers(1, 4)
        limits = BatchLimits(
            int(costs.max() * rng.integers(1, 12)) if rng.random() < 0.8 else None,
            int(rng.integers(1, 40)) if rng.random() < 0.5 else None,
            int(rng.choice([1, 2, 8])),
        )
        order = np.argsort(costs, kind="stable")
        expected = data_utils.batch_by_size(
            order,
            num_tokens_fn=None,
            num_tokens_vec=costs[order],
            max_tokens=limits.max_tokens,
            max_sentences=limits.max_sentences,
            required_batch_size_multiple=limits.multiple,
        )
        alone = Source(True, np.arange(len(costs)), costs, costs)
        batches = plan_validation([alone], limits, world=1)
        assert as_lists(batches) == [batch.tolist() for batch in expected if len(batch)]


def test_an_example_larger_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="exceeds 40"):
        plan_validation(toy_sources(), BatchLimits(max_tokens=40), world=1)
