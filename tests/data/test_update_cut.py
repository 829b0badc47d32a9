import numpy as np
import pytest

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import buckets_of_examples
from fairseq_amber.data.update_cut import micro_batch_ends
from fairseq_amber.data.update_size import UpdateSize
from toy_sources import SETTINGS, all_drawn, sources_of, update_costs

DIRECT = (UpdateSize(tokens=20_000), UpdateSize(examples=400))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("size", DIRECT)
def test_updates_are_cut_into_micro_batches_within_the_limits(name, size):
    draws = all_drawn(SETTINGS[name].sources(scale=2))
    buckets = size.buckets(draws, BatchLimits(), (1, 1))
    costs, _ = update_costs(draws, buckets)
    for limits in (BatchLimits(300), BatchLimits(4500), BatchLimits(10**6), BatchLimits(9000, 50)):
        ends, firsts = micro_batch_ends(draws, buckets, limits)
        assert ends[0] == 0 and (np.diff(ends) > 0).all()
        assert ends[firsts].tolist() == buckets.ends[buckets.updates].tolist()
        bucket = np.searchsorted(buckets.ends, ends, side="right") - 1
        for start, end, first, last in zip(ends, ends[1:], bucket, bucket[1:]):
            whole = start == buckets.ends[first] and end == buckets.ends[last]
            if whole:
                cost = costs[first:last].sum()
                assert cost <= limits.max_tokens or end - start == 1
            assert limits.max_sentences is None or end - start <= limits.max_sentences


def test_micro_batches_are_about_as_large_as_the_limits_allow():
    draws = all_drawn(SETTINGS["one corpus of each kind"].sources(scale=40))
    buckets = UpdateSize(tokens=40_000).buckets(draws, BatchLimits(), (1, 1))
    _, of_updates = update_costs(draws, buckets)
    for max_tokens in (1000, 4096, 8192, 40_000):
        _, firsts = micro_batch_ends(draws, buckets, BatchLimits(max_tokens))
        ideal = np.ceil(of_updates / max_tokens)
        assert (np.diff(firsts) >= ideal).all()
        assert np.diff(firsts).mean() < 1.25 * ideal.mean() + 0.01


def test_updates_of_as_many_examples_take_about_as_many_micro_batches():
    for name in ("one corpus of each kind", "several unequal ones, many pairs"):
        draws = all_drawn(SETTINGS[name].sources(scale=20))
        for examples in (250, 2000):
            buckets = UpdateSize(examples=examples).buckets(draws, BatchLimits(), (1, 1))
            _, firsts = micro_batch_ends(draws, buckets, BatchLimits(2048))
            counts = np.diff(firsts)[:-1]
            assert counts.max() <= counts.mean() * 1.1 + 1


def test_a_bucket_that_is_too_large_is_cut_into_equal_pieces():
    draws = all_drawn(sources_of([[10] * 128], [False]))
    buckets = buckets_of_examples(128, 128, 1, (1, 1))
    for limits, pieces in (
        (BatchLimits(330), 4),
        (BatchLimits(None, 32), 4),
        (BatchLimits(10), 128),
    ):
        ends, firsts = micro_batch_ends(draws, buckets, limits)
        assert firsts.tolist() == [0, pieces]
        assert set(np.diff(ends)) == {128 // pieces}


@pytest.mark.parametrize("examples", [32, 35, 640])
def test_rows_of_one_length_fill_every_micro_batch(examples):
    draws = all_drawn(sources_of([[500] * 3200, [500] * 40], [False, True]))
    buckets = UpdateSize(examples=examples).buckets(draws, BatchLimits(), (1, 1))
    ends, firsts = micro_batch_ends(draws, buckets, BatchLimits(2000))
    assert set(np.diff(firsts)[:-1]) == {-(-examples // 4)}
    assert np.diff(ends).max() == 4


def test_an_example_that_exceeds_the_limit_is_alone():
    draws = all_drawn(sources_of([[50, 50, 9, 9], [70]], [False, True]))
    buckets = UpdateSize(examples=5).buckets(draws, BatchLimits(), (1, 1))
    ends, _ = micro_batch_ends(draws, buckets, BatchLimits(40))
    assert ends.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("world", [2, 3, 8])
@pytest.mark.parametrize("max_tokens", [8192, 10**6])
def test_ranks_share_out_an_update_about_evenly(world, max_tokens):
    draws = all_drawn(SETTINGS["several unequal ones, many pairs"].sources(scale=20))
    for size in (UpdateSize(tokens=4000), UpdateSize(tokens=16000), UpdateSize(examples=400)):
        buckets = size.buckets(draws, BatchLimits(), (1, 1))
        costs, of_updates = update_costs(draws, buckets)
        ends, firsts = micro_batch_ends(draws, buckets, BatchLimits(max_tokens), world)
        held = np.diff(firsts)
        steps = -(-held.max() // world)
        assert steps <= 1.5 * of_updates.max() / (max_tokens * world) + 1
        # Nearly all ranks have a micro-batch at each step, of about the same cost.
        assert held[:-1].mean() > 0.9 * steps * world
        cumulated = np.concatenate([[0], np.cumsum(costs)])
        shares = np.diff(np.interp(ends, buckets.ends, cumulated))
        whole = np.repeat(of_updates, held)
        assert np.quantile(shares * np.repeat(held, held) / whole, 0.9) < 1.5
