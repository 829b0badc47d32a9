import numpy as np
import pytest

from fairseq_amber.metrics.mining import best_threshold, is_gold, mining_quality


def slow_threshold(scores, correct, gold):
    """Tries every score as the threshold."""
    found = []
    for threshold in sorted(set(scores), reverse=True):
        kept = [c for s, c in zip(scores, correct) if s >= threshold]
        found.append((2 * sum(kept) / (len(kept) + gold), threshold))
    best = max(f1 for f1, _ in found)
    return next((f1, t) for f1, t in found if f1 == best)


@pytest.mark.parametrize("seed", range(30))
def test_best_threshold_agrees_with_trying_all(seed):
    generator = np.random.default_rng(seed)
    scores = np.sort(generator.integers(0, 12, 25) / 4)[::-1]  # many are equal
    correct = generator.random(25) < 0.4
    gold = int(correct.sum()) + int(generator.integers(0, 5))
    threshold = best_threshold(scores, correct, gold)
    f1, expected = slow_threshold(scores.tolist(), correct.tolist(), gold)
    kept = scores >= threshold
    assert 2 * correct[kept].sum() / (kept.sum() + gold) == f1
    assert np.array_equal(kept, scores >= expected)


def test_a_threshold_lies_between_two_scores_and_never_among_equal_ones():
    assert best_threshold(np.array([3.0, 2.0, 1.0]), np.array([True, True, False]), 2) == 1.5
    assert best_threshold(np.array([3.0, 2.0]), np.array([True, True]), 2) == 2
    # To cut after the first alone would be perfect, but the second scores the same.
    assert best_threshold(np.array([2.0, 2.0, 1.0]), np.array([True, False, False]), 1) == 1.5
    close = np.nextafter(1.0, 2.0)
    assert best_threshold(np.array([close, 1.0]), np.array([True, False]), 1) == close
    with pytest.raises(ValueError, match="at least one"):
        best_threshold(np.array([]), np.array([]), 1)


def test_where_nothing_is_right_a_threshold_keeps_the_fewest():
    assert best_threshold(np.array([3.0, 2.0, 1.0]), np.array([False] * 3), 4) == 2.5


def test_quality_of_pairs_by_hand():
    source, target = np.array([5, 0, 2]), np.array([0, 7, 2])
    gold = np.array([[0, 7], [7, 0], [2, 2], [5, 1]])
    assert is_gold(source, target, gold).tolist() == [False, True, True]
    assert is_gold(source[:0], target[:0], gold).tolist() == []
    assert mining_quality(1, 2, 4) == pytest.approx((50, 25, 100 / 3))
    assert mining_quality(0, 0, 4) == (0, 0, 0)
