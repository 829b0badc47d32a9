import numpy as np
import pytest

from fairseq_amber.data.draws import Draws, ExampleSource


def drawn(costs, count, seed=0):
    return Draws(ExampleSource(np.array(costs)), count, np.random.default_rng(seed))


@pytest.mark.parametrize("size, count", [(1, 1), (1, 5), (7, 3), (7, 7), (7, 30), (300, 299)])
def test_everything_is_drawn_equally_often_up_to_one(size, count):
    draws = drawn(np.arange(size) % 5 + 3, count)
    times = np.bincount(draws.indices, minlength=size)
    assert len(draws) == times.sum() == count
    assert times.min() >= count // size and times.max() <= -(-count // size)


def test_draws_come_in_ascending_order_of_cost():
    rng = np.random.default_rng(3)
    for _ in range(50):
        costs = rng.integers(1, 30, rng.integers(1, 60))
        draws = drawn(costs, rng.integers(1, 150))
        own = costs[draws.indices]
        assert (np.diff(own) >= 0).all()
        assert draws.levels.tolist() == np.unique(own).tolist()
        assert draws.ends.tolist() == [(own <= level).sum() for level in draws.levels]
        ranks = rng.integers(0, len(draws), 20)
        assert draws.cost(ranks).tolist() == own[ranks].tolist()


def test_the_rest_is_random():
    twice = [np.bincount(drawn([4] * 50, 60, seed).indices) for seed in (0, 1, 0)]
    assert twice[0].tolist() == twice[2].tolist() != twice[1].tolist()


@pytest.mark.parametrize("count", [1, 5, 6, 10, 11])
def test_every_example_is_in_the_rest_with_the_same_probability(count):
    rng = np.random.default_rng(7)
    sets = [drawn([4] * 12, count, rng).indices for _ in range(4000)]
    times = np.bincount(np.concatenate(sets), minlength=12) / len(sets)
    deviation = np.sqrt(count / 12 * (1 - count / 12) / len(sets))
    assert np.abs(times - count / 12).max() < 4 * deviation


@pytest.mark.parametrize("longest", [2**16 - 1, 2**16, 10**6])
def test_long_examples_are_sorted_too(longest):
    costs = np.array([longest, 3, 2**16 - 1, longest - 1, 3])
    draws = drawn(costs, 5)
    assert costs[draws.indices].tolist() == sorted(costs)
    assert draws.cost(np.arange(5)).tolist() == sorted(costs)


def test_equal_costs_come_in_random_order_or_in_their_own():
    source = ExampleSource(np.array([9] * 400 + [2] * 400))
    random = Draws(source, 800, np.random.default_rng(0)).indices
    assert sorted(random[:400]) == list(range(400, 800)) != random[:400].tolist()
    assert abs(np.corrcoef(random[:400], np.arange(400))[0, 1]) < 0.15
    assert Draws(source, 800).indices.tolist() == [*range(400, 800), *range(400)]


def test_all_examples_of_a_dataset_are_a_source():
    source = ExampleSource(np.array([3, 9, 4]))
    assert (source.size, source.parallel) == (3, False)
    assert source.indices.tolist() == [0, 1, 2] and source.costs.tolist() == [3, 9, 4]
    assert source.predicted_counts(source.indices[1:]).tolist() == [0, 0]
    assert source.point_and_link_counts(source.indices) is None
