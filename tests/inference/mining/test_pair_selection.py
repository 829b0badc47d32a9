import numpy as np
import pytest

from fairseq_amber.inference.mining.neighbour_search import Neighbours
from fairseq_amber.inference.mining.pair_selection import RETRIEVALS, MinedPairs, mine_pairs
from fairseq_amber.metrics.margin import MARGINS


def cosines(n=13, m=9, seed=0):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(n, 5)) + 1, generator.normal(size=(m, 5)) + 1
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    return x @ y.T


def neighbours(cosine, k):
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return Neighbours(np.take_along_axis(cosine, order, 1), order)


def slow_pairs(cosine, k, margin, retrieval):
    """One pair at a time, from the whole matrix."""
    n, m = cosine.shape
    near_x = [sorted(range(m), key=lambda j: -cosine[i, j])[:k] for i in range(n)]
    near_y = [sorted(range(n), key=lambda i: -cosine[i, j])[:k] for j in range(m)]

    def score(i, j):
        mean_x = sum(cosine[i, b] for b in near_x[i]) / len(near_x[i])
        mean_y = sum(cosine[a, j] for a in near_y[j]) / len(near_y[j])
        base = (mean_x + mean_y) / 2
        if margin == "absolute":
            return cosine[i, j]
        return cosine[i, j] - base if margin == "distance" else cosine[i, j] / base

    forward = [max((score(i, j), i, j) for j in near_x[i]) for i in range(n)]
    backward = [max((score(i, j), i, j) for i in near_y[j]) for j in range(m)]
    proposed = {
        "forward": forward,
        "backward": backward,
        "intersect": [p for p in forward if p[1:] in [q[1:] for q in backward]],
        "max": forward + backward,
    }[retrieval]
    pairs, used_x, used_y = [], set(), set()
    for value, i, j in sorted(proposed, key=lambda p: (-p[0], p[1], p[2])):
        if retrieval == "max" and (i in used_x or j in used_y):
            continue
        used_x.add(i), used_y.add(j)
        pairs.append((i, j, value))
    return pairs


@pytest.mark.parametrize("k", [1, 4, 20])
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("retrieval", RETRIEVALS)
def test_agrees_with_the_slow_twin(retrieval, margin, k):
    cosine = cosines()
    found = mine_pairs(
        neighbours(cosine, k), neighbours(cosine.T, k), margin=margin, retrieval=retrieval
    )
    expected = slow_pairs(cosine, k, margin, retrieval)
    assert list(zip(found.source.tolist(), found.target.tolist())) == [p[:2] for p in expected]
    np.testing.assert_allclose(found.score, [p[2] for p in expected], rtol=1e-12)


def test_the_ways_to_retrieve_differ():
    cosine = cosines()
    sides = neighbours(cosine, 4), neighbours(cosine.T, 4)
    counts = {r: len(mine_pairs(*sides, retrieval=r).score) for r in RETRIEVALS}
    assert counts["forward"] == 13 and counts["backward"] == 9
    assert counts["intersect"] < counts["max"] <= 9


def test_a_ratio_of_what_is_not_positive_is_no_candidate():
    cosine = np.array([[0.9, 0.1], [-0.2, -0.3]])
    sides = neighbours(cosine, 2), neighbours(cosine.T, 2)
    # Means of the sources: 0.5, -0.25; of the targets: 0.35, -0.1.
    pairs = mine_pairs(*sides, retrieval="forward")
    assert pairs.source.tolist() == [0, 1] and pairs.target.tolist() == [0, 0]
    alone = cosine[1:, 1:]
    assert len(mine_pairs(neighbours(alone, 1), neighbours(alone.T, 1)).score) == 0
    distance = mine_pairs(neighbours(alone, 1), neighbours(alone.T, 1), margin="distance")
    assert distance.score.tolist() == [0]


def test_pairs_from_a_threshold_up_and_which_are_gold():
    pairs = MinedPairs(np.array([3.0, 2.0, 1.0]), np.array([5, 0, 2]), np.array([0, 7, 2]))
    assert pairs.above(2.0).source.tolist() == [5, 0]
    gold = np.array([[0, 7], [7, 0], [2, 2], [5, 1]])
    assert pairs.are_gold(gold).tolist() == [False, True, True]
    assert pairs.above(9).are_gold(gold).tolist() == []


def test_what_is_not_known_is_refused():
    side = neighbours(cosines(), 2)
    with pytest.raises(ValueError, match="sum"):
        mine_pairs(side, side, margin="sum")
    with pytest.raises(ValueError, match="both"):
        mine_pairs(side, side, retrieval="both")
