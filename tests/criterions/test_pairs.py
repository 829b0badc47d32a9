"""The sentence vectors of pairs."""

import torch

from fairseq_amber.criterions.pairs import Pairs, key_rows

KEYS = {
    "corpus": torch.tensor([0, 3, 1]),
    "source_key": torch.tensor([11, 12, 13]),
    "target_key": torch.tensor([21, 22, 23]),
}


def vectors(*numbers):
    return torch.tensor(numbers).float().unsqueeze(1)


def test_the_pairs_of_several_blocks_follow_each_other():
    """A block has all its sources and then all its targets."""
    pairs = Pairs.of([vectors(1, 2, 10, 20), vectors(3, 30)], KEYS, filler=False)
    assert pairs.sources.tolist() == [[1], [2], [3]]
    assert pairs.targets.tolist() == [[10], [20], [30]]
    assert pairs.keys.tolist() == [[11, 21, 1], [12, 22, 4], [13, 23, 2]]


def test_a_single_sentence_is_a_pair_with_itself():
    pairs = Pairs.of_sentences([vectors(1, 2), vectors(3)], KEYS, filler=False)
    assert pairs.sources.tolist() == pairs.targets.tolist() == [[1], [2], [3]]
    assert torch.equal(pairs.keys, key_rows(KEYS, False))


def test_a_filler_does_not_count():
    for pairs in (
        Pairs.of([vectors(1, 2, 3, 4, 5, 6)], KEYS, filler=True),
        Pairs.of_sentences([vectors(1, 2, 3)], KEYS, filler=True),
    ):
        assert pairs.keys[:, 2].tolist() == [0, 0, 0]
        assert pairs.keys[:, 0].tolist() == [11, 12, 13]


def test_pairs_are_joined_in_order_and_detached():
    weight = torch.ones(1, requires_grad=True)
    one = Pairs.of([weight * vectors(1, 2, 3, 4, 5, 6)], KEYS, filler=False)
    assert Pairs.joined([one]) is one
    both = Pairs.joined([one, Pairs.of_sentences([vectors(7, 8, 9)], KEYS, filler=True)])
    assert both.sources.flatten().tolist() == [1, 2, 3, 7, 8, 9]
    assert both.targets.flatten().tolist() == [4, 5, 6, 7, 8, 9]
    assert both.keys[:, 2].tolist() == [1, 4, 2, 0, 0, 0]
    assert both.sources.requires_grad and both.targets.requires_grad
    apart = both.detached()
    assert not apart.sources.requires_grad and not apart.targets.requires_grad
    assert torch.equal(apart.targets, both.targets) and torch.equal(apart.keys, both.keys)


def test_on_one_rank_the_pairs_are_those_of_all_ranks():
    pairs = Pairs(torch.randn(3, 2), torch.randn(3, 4), key_rows(KEYS, False))
    gathered, offset = pairs.gathered(7)
    assert offset == 0 and all(map(torch.equal, gathered, pairs))


def test_where_no_rank_has_a_pair_nothing_is_gathered(monkeypatch):
    """All ranks know that, so that none waits for another."""
    monkeypatch.setattr("fairseq_amber.criterions.pairs.gather_rows", None)
    none = Pairs(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0, 3, dtype=torch.int64))
    assert none.gathered(0) == (none, 0)
