from itertools import combinations

import numpy as np
import pytest

from fairseq_amber.data.blocks import BLOCK_TOKENS, blocks_within, cut_into_blocks


def padded(costs, blocks):
    return sum(len(block) * costs[block].max() for block in blocks)


def best_price(costs, block_tokens):
    """Over all cuts of the sorted examples."""
    ascending, n = np.sort(costs), len(costs)
    return min(
        sum((b - a) * ascending[b - 1] + block_tokens for a, b in zip((0, *cuts), (*cuts, n)))
        for count in range(n)
        for cuts in combinations(range(1, n), count)
    )


@pytest.mark.parametrize("block_tokens", [0, 1, 7, 40, 1000])
def test_no_other_cut_is_cheaper(block_tokens):
    rng = np.random.default_rng(block_tokens)
    for _ in range(40):
        costs = rng.integers(1, rng.choice([3, 12, 60]), rng.integers(1, 11))
        blocks = cut_into_blocks(costs, block_tokens)
        price = padded(costs, blocks) + block_tokens * len(blocks)
        assert price == best_price(costs, block_tokens)


def test_no_other_grouping_is_cheaper():
    """Even one whose groups overlap in length."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        costs = rng.integers(1, 30, 6)
        blocks = cut_into_blocks(costs, 12)
        price = padded(costs, blocks) + 12 * len(blocks)
        for labels in np.ndindex(*[3] * 6):
            groups = [np.flatnonzero(np.array(labels) == label) for label in set(labels)]
            assert price <= padded(costs, groups) + 12 * len(groups)


@pytest.mark.parametrize("block_tokens", [0, 7, 40])
def test_each_part_of_an_example_is_padded_by_itself(block_tokens):
    rng = np.random.default_rng(block_tokens)
    for _ in range(60):
        sizes = rng.integers(1, rng.choice([4, 20]), (rng.integers(1, 9), 2))
        blocks = cut_into_blocks(sizes, block_tokens)
        price = sum(len(b) * sizes[b].max(axis=0).sum() + block_tokens for b in blocks)
        ordered = sizes[np.lexsort((*sizes.T, sizes.sum(axis=1)))]
        n = len(ordered)
        assert price == min(
            sum(
                (b - a) * ordered[a:b].max(axis=0).sum() + block_tokens
                for a, b in zip((0, *cuts), (*cuts, n))
            )
            for count in range(n)
            for cuts in combinations(range(1, n), count)
        )
        (tight,) = blocks_within([sizes], int(sizes.sum()))
        assert sum(len(b) * sizes[b].max(axis=0).sum() for b in tight) == sizes.sum()


def test_every_example_is_in_one_block_and_lengths_ascend():
    rng = np.random.default_rng(1)
    for _ in range(50):
        costs = rng.integers(1, 90, rng.integers(1, 300))
        blocks = cut_into_blocks(costs)
        assert sorted(np.concatenate(blocks)) == list(range(len(costs)))
        assert all((np.diff(block) > 0).all() for block in blocks)
        for block, longer in zip(blocks, blocks[1:]):
            assert costs[block].max() < costs[longer].min()


def test_similar_lengths_stay_together_and_different_ones_part():
    assert len(cut_into_blocks(np.array([20, 21, 22] * 10))) == 1
    short_and_long = np.array([10] * 20 + [200] * 5)
    assert [block.tolist() for block in cut_into_blocks(short_and_long)] == [
        list(range(20)),
        list(range(20, 25)),
    ]
    assert cut_into_blocks(np.array([7]))[0].tolist() == [0]
    assert cut_into_blocks(np.zeros(0, dtype=int)) == []


def test_more_blocks_are_cut_where_the_limit_calls_for_them():
    rng = np.random.default_rng(2)
    pairs, none = rng.integers(5, 200, 40), np.zeros(0, dtype=int)
    loose = blocks_within([none, pairs])
    assert loose[0] == [] and padded(pairs, loose[1]) > pairs.sum()
    for limit in np.linspace(pairs.sum(), padded(pairs, loose[1]), 7).astype(int):
        _, blocks = blocks_within([none, pairs], int(limit))
        assert padded(pairs, blocks) <= limit
    for sentences in (rng.integers(5, 90, 30), none):
        real = int(sentences.sum() + pairs.sum())
        kinds = [sentences, pairs]
        tight = blocks_within(kinds, real)
        assert sum(map(padded, kinds, tight)) == real
        assert sum(map(padded, kinds, blocks_within(kinds, real - 1))) == real


def test_blocks_are_as_without_a_limit_where_they_fit():
    costs = np.random.default_rng(3).integers(5, 90, 60)
    free = cut_into_blocks(costs, BLOCK_TOKENS)
    (within,) = blocks_within([costs], padded(costs, free))
    assert [block.tolist() for block in within] == [block.tolist() for block in free]
