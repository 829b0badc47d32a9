import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.unit_vectors import UnitVectors, open_vectors


def test_pieces_are_the_chosen_rows_scaled_to_length_one():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float16)
    vectors[3] = 0
    some = UnitVectors(vectors, np.array([0, 3, 7, 8]))
    pieces = list(some.pieces(3))
    assert [(start, len(piece)) for start, piece in pieces] == [(0, 3), (3, 1)]
    found = torch.cat([piece for _, piece in pieces])
    expected = torch.from_numpy(vectors[[0, 3, 7, 8]]).float()
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=1))
    assert found[1].eq(0).all() and torch.equal(some[1:3], found[1:3])


def test_a_vector_that_is_not_finite_is_named():
    x = np.random.default_rng(0).normal(size=(53, 6)).astype(np.float32)
    x[7, 2] = np.inf
    with pytest.raises(UserError, match="x.npy: the vector of row 8 is NaN"):
        UnitVectors(x, name="x.npy")
    with pytest.raises(UserError, match="row 8 is"):
        UnitVectors(x, np.array([1, 7]))


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot read"),
        (b"no numpy", "not a complete .npy of floats"),
        (np.ones(3), "not a complete .npy of floats"),
        (np.ones((3, 2), dtype=int), "not a complete .npy of floats"),
        (np.ones((0, 2)), "not a complete .npy of floats"),
    ],
)
def test_a_file_that_holds_no_vectors_is_named(content, message, tmp_path):
    path = tmp_path / "x.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(UserError, match=message) as error:
        open_vectors(path)
    assert str(path) in str(error.value)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((100, 8)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a complete .npy"):
        open_vectors(path)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f2", ">f8", np.longdouble])
def test_floats_of_every_machine_are_read(dtype, tmp_path):
    values = np.arange(1, 7).reshape(3, 2)
    np.save(tmp_path / "x.npy", values.astype(dtype))
    ((_, piece),) = UnitVectors(open_vectors(tmp_path / "x.npy")).pieces(10)
    expected = values / np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(piece, expected, rtol=1e-3)
