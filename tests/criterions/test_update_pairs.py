"""The candidates of an anchor, against loops over pairs and steps."""

import torch

from fairseq_amber.criterions.update_pairs import (
    Pairs,
    Step,
    UpdatePairs,
    choice_over,
    gather_rows,
    ignored,
)


def pairs(*keys):
    """Pairs with these keys, whose vectors are the keys."""
    keys = torch.tensor(keys)
    return Pairs(keys[:, :1].float(), keys[:, 1:2].float(), keys)


def test_equal_sentences_and_pairs_that_do_not_count_are_no_negatives():
    anchors = [(1, 10, 1), (2, 20, 1)]
    candidates = [(1, 11, 1), (3, 20, 1), (4, 40, 0), (5, 50, 1)]
    expected = [[s == x or t == y or not real for s, t, real in candidates] for x, y, _ in anchors]
    assert ignored(torch.tensor(anchors), torch.tensor(candidates)).tolist() == expected


def test_each_anchor_finds_its_own_pair_among_those_of_all_steps_and_ranks():
    """Two steps of two ranks; this rank is the second."""
    mine = [pairs((1, 10, 1), (2, 20, 1)), pairs((5, 50, 1))]
    others = [pairs((3, 30, 1), (0, 0, 0)), pairs((6, 60, 1))]
    steps = [
        Step(own, Pairs.joined([other, own]), len(other.keys)) for own, other in zip(mine, others)
    ]
    for place, own in ((0, slice(0, 2)), (1, slice(2, 3))):
        choice = choice_over(steps, place)
        assert choice.own == own
        assert choice.weights.tolist() == [1, 1, 1]
        assert len(choice.candidates.keys) == 6
        found = choice.candidates.keys[choice.positives]
        assert torch.equal(found, choice.anchors.keys)


def test_the_first_step_of_an_update_encodes_the_others_without_gradient():
    """Every step then chooses among all pairs, of which only its own have a gradient."""
    weight = torch.tensor(2.0, requires_grad=True)

    def sentences(first):
        key = torch.arange(first, first + 2)
        return {"source_key": key, "target_key": 10 * key, "filler": False}

    def encode(some):
        return weight * torch.cat([some["source_key"], some["target_key"]]).float().unsqueeze(1)

    update = [sentences(1), sentences(3)]
    found = UpdatePairs()
    for place, some in enumerate(update):
        normalizers = {"step_pairs": 2, "update_heights": [2, 2]}
        sample = {"normalizers": normalizers, "update_step": place, "update_sentences": update}
        present = Pairs.of(encode(some), some)
        choice = found.choice(present, {**sample, **some}, encode, "update")
        assert choice.candidates.sources.flatten().tolist() == [2, 4, 6, 8]
        assert choice.positives.tolist() == [0, 1, 2, 3]
        (gradient,) = torch.autograd.grad(choice.candidates.sources.sum(), weight)
        assert gradient == some["source_key"].sum()
        alone = found.choice(present, {**sample, **some}, encode, "rank")
        assert torch.equal(alone.candidates.keys, present.keys)
    assert found.steps == []


def test_on_one_rank_the_rows_are_those_of_all_ranks():
    rows = torch.randn(3, 2)
    gathered, offset = gather_rows(rows, 5)
    assert gathered is rows and offset == 0
