"""The candidates of an anchor, against loops over pairs and steps."""

import pytest
import torch

from amber_twins import (
    blocks_of,
    build_criterion,
    examples_of,
    gradients,
    indices_of,
    mean_vector,
    slow_sentence_alignment,
    update_of,
)
from fairseq_amber.criterions.pairs import Pairs
from fairseq_amber.criterions.update_pairs import (
    Step,
    UpdatePairs,
    choice_over,
    ignored,
    is_contrasted,
    own_sentences,
)


def pairs(*keys):
    """Pairs with these keys, whose vectors are the keys."""
    keys = torch.tensor(keys).view(-1, 3)
    return Pairs(keys[:, :1].float(), keys[:, 1:2].float(), keys)


def test_equal_sentences_and_pairs_that_do_not_count_are_no_negatives():
    anchors = [(1, 10, 1), (2, 20, 1)]
    candidates = [(1, 11, 1), (3, 20, 1), (4, 40, 0), (5, 50, 1), (6, 60, 2), (10, 10, 3)]
    for same_corpus in (False, True):
        expected = [
            [s == x or t == y or c in (0, *(2, 3) * same_corpus) for s, t, c in candidates]
            for x, y, _ in anchors
        ]
        found = ignored(torch.tensor(anchors), torch.tensor(candidates), same_corpus=same_corpus)
        assert found.tolist() == expected


def test_each_anchor_finds_its_own_pair_among_the_sentences_of_all_steps_and_ranks():
    """Three steps of two ranks, of which this one is the second and has no pair in the third."""
    mine = [pairs((1, 10, 1), (2, 20, 1)), pairs((5, 50, 1)), pairs()]
    theirs = [pairs((3, 30, 1), (0, 0, 0)), pairs((6, 60, 1)), pairs((7, 70, 2))]
    single = [pairs((8, 8, 3)), None, pairs((9, 9, 3), (0, 0, 0))]
    steps = [
        Step(own, Pairs.joined([other, own]), len(other.keys), others)
        for own, other, others in zip(mine, theirs, single)
    ]
    for place, own in enumerate((slice(0, 2), slice(2, 3), slice(3, 3))):
        choice = choice_over(steps, place)
        assert choice.own == own
        assert choice.weights.tolist() == [1, 1, 1]
        assert len(choice.candidates.keys) == 10
        found = choice.candidates.keys[choice.positives]
        assert torch.equal(found, choice.anchors.keys)


def sentences(first, last, parallel):
    """What the collater gives as the pairs or sentences with these numbers, in two blocks."""
    keys = torch.arange(first, last)
    sides = [keys, 10 * keys] if parallel else [keys]
    blocks = [{"tokens": torch.cat([side[some] for side in sides])} for some in HALVES]
    own = {"corpus": torch.zeros_like(keys), "source_key": keys, "target_key": sides[-1]}
    return {**own, "blocks": [block for block in blocks if len(block["tokens"])]}


HALVES = (slice(0, 1), slice(1, None))


@pytest.mark.parametrize("with_others", [False, True])
def test_the_first_step_of_an_update_encodes_the_others_without_gradient(with_others):
    """Every step then chooses among all sentences, of which only its own have a gradient."""
    weight = torch.tensor(2.0, requires_grad=True)

    def encode(block):
        return weight * block["tokens"].float().unsqueeze(1)

    def empty():
        return weight * torch.zeros(0, 1)

    update = [
        {
            "filler": False,
            "pairs": sentences(*of_pairs, True),
            **({"others": sentences(*single, False)} if with_others else {}),
        }
        for of_pairs, single in (((1, 3), (40, 42)), ((3, 3), (42, 43)), ((3, 6), (43, 43)))
    ]
    sources, other = [2, 4, 6, 8, 10], [80, 82, 84] if with_others else []
    normalizers = {"pair_heights": (2, 0, 3), "sentence_heights": (2, 1, 0)}
    found = UpdatePairs()
    for number, some in enumerate(update):
        sample = {**some, "normalizers": normalizers, "step": number}
        if number == 0:
            sample["update_sentences"] = update
        blocks = (some[name]["blocks"] if name in some else () for name in ("pairs", "others"))
        own = own_sentences(sample, *([*map(encode, part)] for part in blocks), empty)
        assert (own[1] is None) == (not with_others)
        choice = found.choice(*own, sample, encode, "update")
        assert choice.candidates.sources.flatten().tolist() == sources + other
        assert choice.candidates.targets.flatten().tolist() == [10 * x for x in sources] + other
        assert choice.positives.tolist() == [0, 1, 2, 3, 4]
        assert choice.own == (slice(0, 2), slice(2, 2), slice(2, 5))[number]
        (gradient,) = torch.autograd.grad(choice.candidates.sources.sum(), weight)
        mine = [some[name]["source_key"].sum() for name in ("pairs", "others") if name in some]
        assert gradient == sum(mine)
        for scope in ("step", "rank"):
            alone = found.choice(*own, sample, encode, scope)
            expected = [part.keys for part in own if part is not None]
            assert torch.equal(alone.candidates.keys, torch.cat(expected))
            assert alone.own == slice(0, len(own[0].keys))
    assert found.steps == []


@pytest.mark.parametrize(
    "scope, heights, npairs, expected",
    [
        ("rank", (3, 2), 0, [False, False]),
        ("rank", (3, 0), 2, [True, True]),
        ("step", (3, 0), 0, [True, False]),
        ("update", (3, 0), 0, [True, True]),
        ("update", (0, 0), 0, [False, False]),
    ],
)
def test_all_ranks_agree_whether_a_step_contrasts(scope, heights, npairs, expected):
    samples = [
        {"npairs": npairs, "step": step, "normalizers": {"pair_heights": heights}}
        for step in range(2)
    ]
    assert [is_contrasted(sample, scope) for sample in samples] == expected
    of_links = [
        {"npairs": 1 - npairs, "step": step, "normalizers": {"link_heights": heights}}
        for step in range(2)
    ]
    found = [is_contrasted(s, scope, heights="link_heights", held=npairs) for s in of_links]
    assert found == expected
    alone = {"npairs": npairs, "step": 0, "normalizers": None}
    assert is_contrasted(alone, scope) == (npairs > 0)


STEPS = {2: ("both", "sentences"), 3: ("sentences", "both", "pairs")}


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("negatives", ["pair", "update", "all"])
@pytest.mark.parametrize("update_freq", STEPS)
def test_the_steps_of_an_update_add_up_to_one_large_batch(
    make_task, make_model, many_blocks, overlapping, update_freq, negatives, symmetric
):
    """In value and gradient, also where a step has no pair."""
    task = make_task(data=str(overlapping))
    model = task.model = make_model().double()
    weights = dict(mlm_weight=1e-30, tlm_weight=0.0, wa_weight=0.0)
    criterion = build_criterion(task, **weights, sa_negatives=negatives, sa_symmetric=symmetric)
    kinds = {"sentences": [False], "pairs": [True], "both": [False, True]}
    shares = [indices_of(task, 12, kinds[name]) for name in STEPS[update_freq]]
    shares = [share[number::update_freq] for number, share in enumerate(shares)]
    update = update_of(task, shares)
    assert len({bool(sample["npairs"]) for sample in update}) == 2
    logs = []
    for sample in update:
        loss, _, log = criterion(model, sample)
        assert not loss.isnan()
        (loss / update_freq).backward()
        logs.append((loss.item() / update_freq, log))
    fast = gradients(model)
    model.zero_grad()

    assert any(len(blocks_of(sample, True)) > 1 for sample in update)
    corpora, both = zip(*(x for sample in update for x in examples_of(task, sample, True)))
    single = [x for sample in update for _, (x,) in examples_of(task, sample, False)]
    choice = {"pair": dict(corpora=corpora), "update": {}, "all": dict(others=single)}[negatives]
    slow = slow_sentence_alignment(both, mean_vector(model), symmetric=symmetric, **choice)
    slow.backward()
    assert sum(loss for loss, _ in logs) == pytest.approx(slow.item(), rel=1e-5)
    assert sum(log["sa_count"] for _, log in logs) == len(both)
    assert float(sum(log["sa_sum"] for _, log in logs)) / len(both) == pytest.approx(
        slow.item(), rel=1e-5
    )
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(fast[name], gradient, atol=1e-5, rtol=1e-4)
