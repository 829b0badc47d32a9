import numpy as np
import pytest
import torch

from fairseq_amber.metrics.retrieval import retrieval_accuracy, retrieve


def vectors(n=23, m=None, dim=6, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, dim)), generator.normal(size=(m or n, dim))


def slow_neighbours(x, y, similarity="cosine", k=None):
    """One sentence at a time, in float64."""
    unit = [[row / np.sqrt((row * row).sum()) for row in side] for side in (x, y)]
    cosine = np.array([[float(a @ b) for b in unit[1]] for a in unit[0]])
    score = cosine.copy()
    if k is not None:
        hub_x = [np.mean(sorted(row)[-k:]) for row in cosine]
        hub_y = [np.mean(sorted(column)[-k:]) for column in cosine.T]
        for i in range(len(x)):
            for j in range(len(y)):
                if similarity == "csls":
                    score[i, j] = 2 * cosine[i, j] - hub_x[i] - hub_y[j]
                else:
                    score[i, j] = cosine[i, j] / ((hub_x[i] + hub_y[j]) / 2)
    return [int(np.argmax(row)) for row in score], [int(np.argmax(c)) for c in score.T]


@pytest.mark.parametrize("tile", [1, 5, 4096])
@pytest.mark.parametrize("similarity, k", [("cosine", None), ("csls", 3), ("margin", 4)])
def test_agrees_with_the_slow_twin(similarity, k, tile):
    x, y = vectors(23, 17)
    found = retrieve(
        torch.from_numpy(x),
        torch.from_numpy(y),
        similarity=similarity,
        neighbours=k,
        tile=tile,
    )
    assert [side.tolist() for side in found[:2]] == list(slow_neighbours(x, y, similarity, k))


@pytest.mark.parametrize("tile", [3, 4096])
@pytest.mark.parametrize("similarity, k", [("cosine", None), ("csls", 4), ("margin", 4)])
def test_agrees_with_the_slow_twin_where_scores_are_equal(similarity, k, tile):
    """Four ones in eight places: every cosine is a multiple of a quarter, and ties are exact."""
    generator = np.random.default_rng(3)
    x, y = ([generator.permutation([1.0] * 4 + [0.0] * 4) for _ in range(n)] for n in (30, 41))
    expected = slow_neighbours(x, y, similarity, k)
    found = retrieve(
        *(torch.tensor(np.array(side)) for side in (x, y)),
        similarity=similarity,
        neighbours=k,
        tile=tile,
    )
    assert [side.tolist() for side in found[:2]] == list(expected)
    mirrored = slow_neighbours(x[::-1], y[::-1], similarity, k)
    assert [29 - i for i in mirrored[1][::-1]] != expected[1]  # there are ties


@pytest.mark.parametrize("similarity, k", [("csls", 10), ("margin", 4)])
def test_the_number_of_neighbours_is_by_default_the_papers(similarity, k):
    x, y = map(torch.from_numpy, vectors(60, dim=3))
    default = retrieve(x, y, similarity=similarity)
    chosen = retrieve(x, y, similarity=similarity, neighbours=k)
    other = retrieve(x, y, similarity=similarity, neighbours=k - 2)
    assert torch.equal(default[0], chosen[0]) and torch.equal(default[1], chosen[1])
    assert not torch.equal(default[0], other[0])


def test_a_vector_of_zeros_finds_the_first_line_and_hides_nothing():
    x, y = map(torch.from_numpy, vectors(12))
    y = x + 0.01 * y
    x[5] = y[7] = 0
    forward, backward = retrieve(x, y, similarity="margin")[:2]
    assert [i for i in range(12) if forward[i] != i] == [5, 7]
    assert [i for i in range(12) if backward[i] != i] == [5, 7]


def test_the_three_differ_on_hubs():
    x, y = vectors(40, dim=3, seed=2)
    assert slow_neighbours(x, y) != slow_neighbours(x, y, "csls", 5)
    assert slow_neighbours(x, y, "margin", 5) != slow_neighbours(x, y, "csls", 5)


def test_more_neighbours_than_rows_means_all():
    x, y = map(torch.from_numpy, vectors(4, 3))
    few = retrieve(x, y, similarity="csls", neighbours=3)
    many = retrieve(x, y, similarity="csls", neighbours=10)
    assert few[1].tolist() == many[1].tolist()


def test_of_equal_scores_the_lowest_index_wins_whatever_the_tile():
    x = torch.ones(5, 2)
    for tile in (1, 2, 5):
        forward, backward = retrieve(x, x, tile=tile)[:2]
        assert forward.tolist() == backward.tolist() == [0] * 5


def test_length_of_a_vector_does_not_matter_and_half_precision_is_searched_in_float32():
    x, y = map(torch.from_numpy, vectors(30))
    scaled = retrieve(x * 1000, y * torch.rand(30, 1).add(0.1))
    halves = retrieve(x.half(), y.half())
    expected = retrieve(x.half().float(), y.half().float())
    assert torch.equal(scaled[0], retrieve(x, y)[0])
    assert torch.equal(halves[0], expected[0]) and torch.equal(halves[1], expected[1])


def test_accuracy_counts_each_direction():
    source = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    target = torch.tensor([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0]])
    accuracy = retrieval_accuracy(source, target)
    # Source 1 finds target 0; target 1 is nearest to source 1 (cosine 0.78 against 0.71).
    assert accuracy.forward == pytest.approx(200 / 3)
    assert accuracy.backward == pytest.approx(100)
    assert accuracy.mean == pytest.approx(250 / 3)
    assert accuracy.n == 3


def test_what_is_not_aligned_or_not_known_is_refused():
    with pytest.raises(ValueError, match="one shape"):
        retrieval_accuracy(torch.ones(3, 2), torch.ones(4, 2))
    with pytest.raises(ValueError, match="one shape"):
        retrieval_accuracy(torch.ones(0, 2), torch.ones(0, 2))
    with pytest.raises(ValueError, match="euclidean"):
        retrieve(torch.ones(3, 2), torch.ones(3, 2), similarity="euclidean")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("similarity", ["cosine", "csls", "margin"])
def test_vectors_that_are_not_finite_are_refused(value, similarity):
    good, bad = torch.ones(3, 2), torch.ones(3, 2)
    bad[1, 0] = value
    for sides in ((good, bad), (bad, good)):
        with pytest.raises(ValueError, match="NaN or infinite"):
            retrieval_accuracy(*sides, similarity=similarity)
