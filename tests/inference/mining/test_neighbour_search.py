import builtins

import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining import neighbour_search, unit_vectors
from fairseq_amber.inference.mining.neighbour_search import (
    approximate_neighbours,
    default_lists,
    exact_neighbours,
    sampled_recall,
)
from fairseq_amber.inference.mining.unit_vectors import UnitVectors, open_vectors


def vectors(n=53, m=37, dim=6, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(rows, dim)).astype(np.float32) for rows in (n, m)]


def slow_neighbours(x, y, k):
    """In float64, from the whole matrix."""
    x, y = (side / np.linalg.norm(side.astype(float), axis=1, keepdims=True) for side in (x, y))
    order = np.argsort(-(x @ y.T), axis=1)[:, :k]
    return np.take_along_axis(x @ y.T, order, 1), order


def check(found, x, y, k):
    for side, (a, b) in zip(found, ((x, y), (y, x))):
        cosine, rows = slow_neighbours(a, b, k)
        assert np.array_equal(side.rows, rows)
        np.testing.assert_allclose(side.cosine, cosine, atol=1e-6)
        assert side.cosine.dtype == np.float32 and side.rows.dtype == np.int64


@pytest.mark.parametrize("tile", [1, 3, 10, 37, None])
@pytest.mark.parametrize("k", [1, 4, 40])
def test_exact_search_agrees_with_the_slow_twin(tile, k):
    x, y = vectors()
    check(exact_neighbours(UnitVectors(x), UnitVectors(y), k, tile=tile), x, y, k)


def test_rows_in_half_precision_from_a_file_are_searched_in_float32(tmp_path):
    x, y = (side.astype(np.float16) for side in vectors())
    np.save(tmp_path / "x.npy", x)
    rows = np.array([0, 1, 5, 8, 52])
    some = UnitVectors(open_vectors(tmp_path / "x.npy"), rows)
    whole = UnitVectors(torch.from_numpy(y * 0.01))  # the length of a vector does not matter
    check(exact_neighbours(some, whole, 3, tile=2), x[rows], (y * 0.01), 3)
    assert (len(some), some.dim) == (5, 6)
    torch.testing.assert_close(some[:].norm(dim=1), torch.ones(5))


def test_equal_rows_fill_up_the_neighbours():
    ones = UnitVectors(np.ones((7, 2), dtype=np.float32))
    for side in exact_neighbours(ones, ones, 3, tile=2):
        assert all(len(set(row)) == 3 for row in side.rows.tolist())
        np.testing.assert_allclose(side.cosine, 1, rtol=1e-6)


def test_exact_search_agrees_with_faiss():
    faiss = pytest.importorskip("faiss")
    x, y = vectors(300, 200, 16)
    found = exact_neighbours(UnitVectors(x), UnitVectors(y), 4, tile=64)
    for side, queries, items in ((found[0], x, y), (found[1], y, x)):
        index = faiss.IndexFlatIP(16)
        index.add(UnitVectors(items)[:].numpy())
        cosine, rows = index.search(UnitVectors(queries)[:].numpy(), 4)
        assert np.array_equal(side.rows, rows)
        np.testing.assert_allclose(side.cosine, cosine, atol=1e-6)


def test_with_all_lists_probed_approximate_search_is_exact(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbour_search, "PIECE", 23)
    monkeypatch.setattr(unit_vectors, "PIECE", 23)
    x, y = vectors()
    sides = UnitVectors(x), UnitVectors(y)
    check(approximate_neighbours(*sides, 4, lists=7, probes=7), x, y, 4)
    check(approximate_neighbours(*sides, 4, lists=7, probes=100), x, y, 4)
    check(approximate_neighbours(*sides, 100, probes=1, lists=1), x, y, 100)


def test_few_probes_miss_some_and_the_recall_says_how_many():
    pytest.importorskip("faiss")
    x, y = vectors(2000, 1500, 24)
    sides = UnitVectors(x), UnitVectors(y)
    exact = exact_neighbours(*sides, 4)
    recalls = []
    for probes in (1, 4, 40):
        found = approximate_neighbours(*sides, 4, lists=40, probes=probes)
        shares = [
            np.mean([np.isin(a, b) for a, b in zip(f.rows, e.rows)]) for f, e in zip(found, exact)
        ]
        recalls.append(sampled_recall(*sides, found, sample=2000))
        assert recalls[-1] == pytest.approx(np.mean(shares), abs=1e-3)  # equal cosines count
        again = approximate_neighbours(*sides, 4, lists=40, probes=probes)
        assert all(np.array_equal(a.rows, b.rows) for a, b in zip(found, again))
    assert 0.05 < recalls[0] < recalls[1] < recalls[2] == 1


def test_a_sentence_whose_lists_hold_too_few_is_searched_exactly():
    pytest.importorskip("faiss")
    x, y = vectors(30, 20)
    found = approximate_neighbours(UnitVectors(x), UnitVectors(y), 5, lists=20, probes=1)
    check(found, x, y, 5)  # a list of one sentence or so is always too short


def test_lists_grow_with_the_root_of_the_sentences():
    assert [default_lists(n) for n in (1, 39, 390, 1_000_000)] == [1, 1, 10, 4000]


def test_without_faiss_there_is_one_clear_error(monkeypatch):
    real = builtins.__import__

    def without_faiss(name, *rest):
        if name == "faiss":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_faiss)
    x, y = map(UnitVectors, vectors())
    with pytest.raises(UserError, match="pip install faiss-cpu"):
        approximate_neighbours(x, y, 4)
