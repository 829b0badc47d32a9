import numpy as np
import pytest

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.update_size import UpdateSize
from toy_sources import SETTINGS, all_drawn, sources_of, update_costs


@pytest.mark.parametrize("name", SETTINGS)
def test_an_update_is_so_many_micro_batches_of_the_limits(name):
    draws = all_drawn(SETTINGS[name].sources())
    for limits in (BatchLimits(500), BatchLimits(max_sentences=10), BatchLimits(500, 10)):
        for micro_batches in (1, 4, 7):
            buckets = UpdateSize(micro_batches).buckets(draws, limits, (1, 1))
            counts = np.diff(buckets.updates)
            assert set(counts[:-1]) <= {micro_batches} and 0 < counts[-1] <= micro_batches
            if limits.max_tokens is None:
                assert set(np.diff(buckets.ends)[: -counts[-1]]) <= {10}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("tokens", [250, 4096, 9000, 10**7])
def test_an_update_has_at_most_so_many_tokens(name, tokens):
    draws = all_drawn(SETTINGS[name].sources(scale=4))
    size = UpdateSize(tokens=tokens)
    buckets = size.buckets(draws, BatchLimits(), (1, 1))
    costs, of_updates = update_costs(draws, buckets)
    assert of_updates.max() <= tokens
    if tokens == 9000:
        assert of_updates[:-1].mean() > 0.85 * tokens
        assert set(np.diff(buckets.updates)[:-1]) == {3}
    others = size.buckets(draws, BatchLimits(3 * int(costs.max()), 7, 8), (1, 1))
    assert all(map(np.array_equal, buckets, others))


def test_an_update_of_the_tokens_of_the_longest_example():
    draws = all_drawn(sources_of([np.arange(500) % 20 + 3, [90, 4, 4]], [False, True]))
    for tokens in (90, 91, 180, 89 * 2):
        buckets = UpdateSize(tokens=tokens).buckets(draws, BatchLimits(), (1, 1))
        assert update_costs(draws, buckets)[1].max() <= tokens
    long = all_drawn(sources_of([[3000] * 20 + [20] * 2500], [False]))
    for tokens in (3000, 5000, 9000):
        buckets = UpdateSize(tokens=tokens).buckets(long, BatchLimits(), (1, 1))
        assert update_costs(long, buckets)[1].max() <= tokens


@pytest.mark.parametrize("examples", [1, 10, 127, 300, 10**6])
def test_an_update_has_exactly_so_many_examples(examples):
    draws = all_drawn(SETTINGS["several unequal ones, many pairs"].sources())
    buckets = UpdateSize(examples=examples).buckets(draws, BatchLimits(30), (1, 1))
    total = sum(map(len, draws))
    sizes = np.diff(buckets.ends[buckets.updates])
    assert set(sizes[:-1]) <= {examples}
    assert sizes[-1] == (total % examples or examples)
    assert np.diff(buckets.updates).max() <= max(1, examples // 16)


@pytest.mark.parametrize("size", [UpdateSize(tokens=10**12), UpdateSize(examples=10**12)])
def test_an_update_may_be_larger_than_the_epoch(size):
    draws = all_drawn(SETTINGS["several unequal ones, many pairs"].sources())
    buckets = size.buckets(draws, BatchLimits(30), (1, 1))
    assert len(buckets.updates) == 2 and buckets.ends[-1] == sum(map(len, draws))


def test_an_update_that_cannot_hold_the_longest_example():
    draws = all_drawn(sources_of([[9, 70], [8]], [False, True]))
    with pytest.raises(ValueError, match="an example of 70 tokens exceeds 69"):
        UpdateSize(tokens=69).buckets(draws, BatchLimits(), (1, 1))
    UpdateSize(tokens=70).buckets(draws, BatchLimits(), (1, 1))


def test_which_sizes_do_not_depend_on_the_micro_batches():
    assert not UpdateSize(micro_batches=3).direct
    assert UpdateSize(tokens=9).direct and UpdateSize(examples=9).direct
