"""Buckets hold one quantile of length of every corpus, and an update takes one of every stratum."""

import numpy as np
import pytest

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import Buckets, bucket_costs, buckets_of_examples, buckets_of_tokens
from fairseq_amber.data.draws import Draws
from toy_sources import SETTINGS, all_drawn, lengths, sources_of


def bucket_of_each(draws, buckets):
    """For each corpus the bucket of each of its draws, as its number in length order."""
    takes = {id(one): taken for one, taken in buckets.takes(draws)}
    return [np.repeat(np.arange(len(buckets.ascending)), takes[id(one)]) for one in draws]


def costs_one_by_one(draws, buckets):
    costs = np.zeros(len(buckets.ascending), dtype=int)
    for one, bucket in zip(draws, bucket_of_each(draws, buckets)):
        own = one.source.costs[one.indices - one.source.indices[0]]
        for number in np.unique(bucket):
            inside = own[bucket == number]
            costs[number] += len(inside) * inside.max()
    return costs


def check_consistent(draws, buckets):
    sizes = np.diff(buckets.ends)
    assert (sizes > 0).all() and sizes.sum() == sum(map(len, draws))
    assert sorted(buckets.ascending) == list(range(len(sizes)))
    assert buckets.updates[0] == 0 and buckets.updates[-1] == len(sizes)
    taken = [taken for _, taken in buckets.takes(draws)]
    assert min(map(np.min, taken)) >= 0
    assert sum(taken).tolist() == sizes[buckets.ascending].tolist()
    assert {id(one): t.sum() for one, t in buckets.takes(draws)} == {id(d): len(d) for d in draws}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("max_tokens", [200, 700, 5000])
def test_buckets_keep_to_the_limits(name, max_tokens):
    draws = all_drawn(SETTINGS[name].sources())
    for most in (None, 9):
        limits = BatchLimits(max_tokens, most)
        buckets = buckets_of_tokens(draws, limits, 3, (1, 2))
        check_consistent(draws, buckets)
        costs = bucket_costs(draws, buckets)
        assert costs.tolist() == costs_one_by_one(draws, buckets).tolist()
        sizes = np.diff(buckets.ends)[buckets.ascending]
        assert ((costs <= max_tokens) | (sizes == 1)).all()
        assert most is None or sizes.max() <= most


def test_buckets_are_about_as_large_as_the_limits_allow():
    draws = all_drawn(SETTINGS["one corpus of each kind"].sources(scale=20))
    for max_tokens, filled in ((200, 0.8), (1000, 0.95), (5000, 0.95)):
        buckets = buckets_of_tokens(draws, BatchLimits(max_tokens), 2, (1, 2))
        assert bucket_costs(draws, buckets).mean() > filled * max_tokens


def test_sizes_are_a_multiple_where_one_is_required():
    draws = all_drawn(SETTINGS["several unequal ones, few pairs"].sources())
    buckets = buckets_of_tokens(draws, BatchLimits(900, multiple=8), 2, (1, 2))
    check_consistent(draws, buckets)
    sizes = np.diff(buckets.ends)
    assert (sizes > 8).any()
    irregular = [size for size in sizes if size % 8]
    assert sum(size > 8 for size in irregular) <= 1  # what is left over at the end
    costs = bucket_costs(draws, buckets)
    assert ((costs <= 900) | (sizes[buckets.ascending] == 1)).all()


def test_an_update_has_a_bucket_of_each_stratum_of_length():
    draws = all_drawn(SETTINGS["one corpus of each kind"].sources(scale=4))
    buckets = buckets_of_tokens(draws, BatchLimits(400), 5, (1, 2))
    place = np.argsort(buckets.ascending)  # in length order, of each bucket as it runs
    bounds = np.cumsum([len(part) for part in np.array_split(place, 5)])
    strata = np.searchsorted(bounds, place, side="right")
    starts = buckets.updates
    assert len(starts) > 10
    for start, end in zip(starts[:-2], starts[1:-1]):
        assert strata[start:end].tolist() == [0, 1, 2, 3, 4]
    last = strata[starts[-2] :].tolist()
    assert 0 < len(last) <= 5 and last == sorted(set(last))


def test_lengths_ascend_over_the_buckets_and_their_updates_are_random():
    draws = all_drawn(SETTINGS["several unequal ones, many pairs"].sources(scale=4))
    orders = []
    for seed in ((1, 1), (1, 2), (1, 1)):
        buckets = buckets_of_tokens(draws, BatchLimits(1000), 2, seed)
        for one, bucket in zip(draws, bucket_of_each(draws, buckets)):
            means = np.bincount(
                bucket,
                one.source.costs[one.indices - one.source.indices[0]],
                len(buckets.ascending),
            )
            means = means / np.maximum(np.bincount(bucket, minlength=len(means)), 1)
            assert (np.diff(means[means > 0]) >= 0).all()
        orders.append(buckets.ascending.tolist())
    assert orders[0] == orders[2] and orders[0] != orders[1]


@pytest.mark.parametrize("total, examples", [(1000, 64), (640, 64), (50, 64), (65, 64), (7, 1)])
@pytest.mark.parametrize("per_update", [1, 3, 64])
def test_every_update_has_exactly_so_many_examples(total, examples, per_update):
    per_update = min(per_update, examples)
    buckets = buckets_of_examples(total, examples, per_update, (1, 2))
    draws = all_drawn(sources_of([lengths(total, 20, 0.5, 1)], [False]))
    check_consistent(draws, buckets)
    of_updates = np.diff(buckets.ends[buckets.updates])
    full, rest = divmod(total, examples)
    assert of_updates.tolist() == [examples] * full + [rest] * (rest > 0)
    sizes = np.diff(buckets.ends)
    for start, end in zip(buckets.updates[:-1], buckets.updates[1:]):
        assert np.ptp(sizes[start:end]) <= 1
        assert (np.diff(np.argsort(buckets.ascending)[start:end]) > 0).all()


def test_updates_of_so_many_examples_come_in_random_order():
    orders = [buckets_of_examples(1000, 10, 1, (1, seed)).ascending.tolist() for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert orders[0][:-1] != sorted(orders[0][:-1])
    by_stratum = np.reshape(buckets_of_examples(1000, 10, 2, (1, 1)).ascending, (2, 100))
    assert (by_stratum % 2 == [[0], [1]]).all()
    assert abs(np.corrcoef(*by_stratum)[0, 1]) < 0.3


def test_no_drawn_example_is_lost_to_rounding():
    """(a + b) / a * a is less than a + b in floating point, and likewise for b."""
    for sizes in ((7, 54), (11, 196), (14, 101)):
        draws = all_drawn(sources_of([np.full(n, 9) for n in sizes], [False, True]))
        assert buckets_of_tokens(draws, BatchLimits(90), 2, (1, 2)).ends[-1] == sum(sizes)


EXTREMES = {
    "one example of each": ([[5], [9], [200]], [False, True, True]),
    "one long example": ([np.arange(3000) % 17 + 3, [200]], [False, True]),
    "three beside many": ([np.arange(20_000) % 40 + 3, [60, 4, 30]], [True, True]),
    "all lengths equal": ([[20] * 700, [20] * 30, [20] * 1], [False, True, True]),
    "short and long": ([[4] * 300, [200] * 300], [False, True]),
    "two costs": ([[10] * 50 + [20] * 50, [10, 20], [10, 20]], [False, False, True]),
    "many corpora": (
        [lengths(40 + 30 * n % 170, 10 + n, 0.6, n) for n in range(40)],
        [n % 2 == 1 for n in range(40)],
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("per_update", [1, 8])
def test_extreme_corpora(name, per_update):
    draws = all_drawn(sources_of(*EXTREMES[name]))
    longest = max(one.levels[-1] for one in draws)
    for max_tokens in (longest, longest + 1, 3 * longest, 100 * longest):
        for seed in range(3):
            limits = BatchLimits(int(max_tokens), multiple=8 if seed else 1)
            buckets = buckets_of_tokens(draws, limits, per_update, (1, seed))
            check_consistent(draws, buckets)
            sizes = np.diff(buckets.ends)[buckets.ascending]
            assert ((bucket_costs(draws, buckets) <= max_tokens) | (sizes == 1)).all()
    whole = buckets_of_tokens(draws, BatchLimits(), per_update, (1, 1))
    assert len(whole.ascending) == 1


def test_more_strata_than_buckets():
    draws = all_drawn(sources_of([[5, 5, 9]], [False]))
    buckets = buckets_of_tokens(draws, BatchLimits(10), 64, (1, 1))
    assert buckets.updates.tolist() == [0, 2] and buckets.ends.tolist() == [0, 2, 3]


def test_the_kinds_share_out_a_bucket_before_the_corpora_do():
    sources = sources_of([[5] * 60, [5] * 20, [9] * 20], [False, False, True])
    draws = [Draws(source, source.size) for source in sources]
    ends = np.arange(0, 101, 5)
    buckets = Buckets(ends, np.arange(20), np.array([0, 20]))
    takes = {id(one): taken for one, taken in buckets.takes(draws)}
    assert takes[id(draws[2])].tolist() == [1] * 20
    assert set(takes[id(draws[0])]) == {3} and set(takes[id(draws[1])]) == {1}
