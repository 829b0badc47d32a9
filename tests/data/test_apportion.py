import numpy as np
import pytest

from fairseq_amber.data.apportion import apportion


def counts_of(weights, totals=None):
    """(totals, classes), and how far each is from its share."""
    totals = np.arange(sum(weights) + 1) if totals is None else totals
    counts = np.stack([counts for _, counts in sorted(apportion(totals, weights))], axis=1)
    return counts, counts - totals[:, None] * np.array(weights) / max(sum(weights), 1)


def random_weights(rng, classes):
    """Alike, very different, or all equal but for one."""
    kind = rng.integers(3)
    if kind == 0:
        return rng.integers(1, 60, classes).tolist()
    if kind == 1:
        return (np.exp(rng.normal(1, 1.5, classes)).astype(int) + 1).tolist()
    weights = np.ones(classes, dtype=int)
    weights[rng.integers(classes)] = rng.integers(1, 300)
    return weights.tolist()


def test_counts_add_up_never_fall_and_end_at_the_weights():
    rng = np.random.default_rng(0)
    for _ in range(200):
        weights = random_weights(rng, rng.integers(1, 30))
        n = sum(weights)
        some = np.sort(rng.integers(0, n + 1, rng.integers(0, 20)))
        totals = np.concatenate([[0], some, [n]])
        counts, _ = counts_of(weights, totals)
        assert counts.sum(axis=1).tolist() == totals.tolist()
        assert (np.diff(counts, axis=0) >= 0).all()
        assert counts[-1].tolist() == weights
        assert counts.tolist() == counts_of(weights)[0][totals].tolist()


def test_one_of_two_has_its_share_up_to_less_than_one_example_everywhere():
    rng = np.random.default_rng(1)
    for _ in range(200):
        _, error = counts_of(rng.integers(0, 80, 2).tolist())
        assert np.ptp(error, axis=0).max() < 1
    assert counts_of([3, 1])[0][:, 1].tolist() == [0, 0, 1, 1, 1]


def test_one_of_many_has_its_share_up_to_few_examples_everywhere():
    rng = np.random.default_rng(2)
    widest = []
    for _ in range(300):
        _, error = counts_of(random_weights(rng, rng.integers(3, 40)))
        widest.append(np.ptp(error, axis=0).max())
    assert max(widest) < 2.5 and np.mean(np.array(widest) >= 2) < 0.1


@pytest.mark.parametrize("order", [1, -1])
def test_a_large_class_among_many_small_ones_is_near_its_share(order):
    _, error = counts_of([*([1] * 21), 2700][::order])
    assert np.ptp(error, axis=0).max() < 1.5


@pytest.mark.parametrize("classes", range(1, 14))
def test_equal_classes_take_turns(classes):
    counts, _ = counts_of([30] * classes)
    assert (counts[classes:] - counts[:-classes] == 1).all()


def test_classes_without_examples_get_none():
    assert counts_of([0, 4])[0].tolist() == [[0, i] for i in range(5)]
    assert counts_of([0, 0], np.zeros(2, dtype=int))[0].tolist() == [[0, 0], [0, 0]]
    assert list(apportion(np.zeros(1, dtype=int), [])) == []
