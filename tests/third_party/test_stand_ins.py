"""The plain-Python modules give what the compiled ones give, on random inputs."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

pytest.importorskip("fairseq")


@pytest.fixture(params=["data_utils_fast", "token_block_utils_fast"])
def pair(request, stand_in):
    compiled = importlib.import_module(f"fairseq.data.{request.param}")
    if compiled.__file__.endswith(".py"):
        pytest.skip("fairseq was built without a C++ compiler")
    return stand_in(request.param), compiled


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert np.asarray(mine).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("pair", ["data_utils_fast"], indirect=True)
def test_batch_by_size(pair):
    ours, theirs = pair
    random = np.random.RandomState(0)
    for _ in range(400):
        count = random.randint(0, 60)
        lengths = random.randint(1, random.choice([3, 30, 200]), size=count).astype(np.int64)
        if random.rand() < 0.5:
            lengths.sort()
        indices = random.permutation(count).astype(np.int64)
        max_tokens = random.choice([-1, 0, 200, 300, 1000])
        max_sentences = random.choice([-1, 1, 4, 13])
        limits = (int(max_tokens), int(max_sentences), int(random.choice([1, 2, 8])))
        same(
            ours.batch_by_size_vec(indices, lengths, *limits),
            theirs.batch_by_size_vec(indices, lengths, *limits),
        )
        length_of = lengths.tolist().__getitem__
        same(
            ours.batch_by_size_fn(indices, length_of, *limits),
            theirs.batch_by_size_fn(indices, length_of, *limits),
        )


@pytest.mark.parametrize("pair", ["data_utils_fast"], indirect=True)
def test_batch_by_size_refuses_what_cannot_fit(pair):
    indices, lengths = np.arange(2), np.array([3, 9])
    for module in pair:
        with pytest.raises(AssertionError, match="should not exceed max_tokens=8"):
            module.batch_by_size_vec(indices, lengths, 8, -1, 1)


@pytest.mark.parametrize("pair", ["data_utils_fast"], indirect=True)
def test_batch_fixed_shapes(pair):
    ours, theirs = pair
    random = np.random.RandomState(1)
    for _ in range(200):
        count = random.randint(0, 40)
        lengths = random.randint(1, 40, size=count)
        shapes = np.array([[16, 10], [8, 20], [4, 40]], dtype=np.int64)
        shapes = shapes[random.permutation(3)[: random.randint(1, 4)]]
        indices = random.permutation(count).astype(np.int64)
        arguments = (indices, lengths.tolist().__getitem__, shapes)
        assert ours.batch_fixed_shapes_fast(*arguments) == theirs.batch_fixed_shapes_fast(
            *arguments
        )


@pytest.mark.parametrize("pair", ["token_block_utils_fast"], indirect=True)
@pytest.mark.parametrize("mode", ["none", "complete", "complete_doc", "eos"])
def test_token_blocks(pair, mode):
    ours, theirs = pair
    random = np.random.RandomState(2)
    for _ in range(200):
        # with empty sentences and, where a document ends, sentences of one token
        sizes = random.randint(0, 12, size=random.randint(1, 50)).astype(np.int64)
        sizes[0] = 5
        arguments = (sizes, mode, int(random.choice([1, 7, 20])), int(random.choice([0, 1])))
        slices = theirs._get_slice_indices_fast(*arguments)
        same([ours._get_slice_indices_fast(*arguments)], [slices])
        # a block that ends where the stream does and starts nowhere has no sentence to name
        inside = slices[slices[:, 0] < sizes.sum()]
        same(
            [ours._get_block_to_dataset_index_fast(sizes, inside)],
            [theirs._get_block_to_dataset_index_fast(sizes, inside)],
        )


@pytest.mark.parametrize("pair", ["token_block_utils_fast"], indirect=True)
def test_unknown_break_mode(pair):
    for module in pair:
        with pytest.raises(ValueError, match="Invalid break_mode: word"):
            module._get_slice_indices_fast(np.array([1]), "word", 1, 1)
