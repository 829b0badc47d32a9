import math

import pytest
import torch

import slow_twins
from fairseq_amber.objectives.state_alignment import agreement, self_training_score, state_maps

SETTINGS = [dict(), dict(temperature=0.3), dict(temperature=2.0, normalize=True)]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}


def full(length):
    return torch.ones(1, length, dtype=torch.bool)


def scores_of(source, target, masks, threshold=0.001, **settings):
    maps = state_maps(source, target, *masks, **settings)
    return agreement(*maps, *masks), self_training_score(*maps, *masks, threshold=threshold)


@pytest.mark.parametrize("x, y", [(1, 1), (1, 7), (5, 2), (4, 9)])
def test_equal_states_have_uniform_maps_whose_agreement_is_that_of_one_link(x, y):
    """A_st = 1 / |t| and A_ts = 1 / |s|, so that the trace is |s| |t| / (|s| |t|) = 1. Every token
    is linked with every token, and the links have all the probability."""
    source, target, masks = torch.ones(1, x, 3), torch.ones(1, y, 3), (full(x), full(y))
    forward, backward = state_maps(source, target, *masks)
    torch.testing.assert_close(forward, torch.full((1, x, y), 1 / y))
    torch.testing.assert_close(backward, torch.full((1, y, x), 1 / x))
    agreed, trained = scores_of(source, target, masks)
    assert agreed.item() == pytest.approx(1 / min(x, y)) and trained.item() == pytest.approx(1)


def test_states_that_are_translations_one_by_one_have_score_one():
    order = torch.tensor([3, 0, 4, 1, 2])
    states = 10 * torch.eye(5)[None]
    agreed, trained = scores_of(states, states[:, order], (full(5), full(5)))
    assert agreed.item() == trained.item() == 1


def test_a_link_of_one_map_alone_is_no_target():
    """Both source tokens choose the first target token, which chooses the first source token."""
    forward = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]])
    backward = torch.tensor([[[0.75, 0.25], [0.5, 0.5]]])
    score = self_training_score(forward, backward, full(2), full(2), threshold=0.3)
    assert score.item() == pytest.approx((0.9 / 2 + 0.75 / 2) / 2)
    none = self_training_score(forward, backward, full(2), full(2), threshold=0.95)
    assert none.item() == 0


def awesome_states(length, shift):
    return torch.tensor(
        [
            [2 * math.sin(1 + shift + 2 * i + 0.7 * d * (i + 1)) for d in range(4)]
            for i in range(length)
        ]
    )


@pytest.mark.parametrize(
    "x, y, consistency, self_training",
    [
        (5, 4, -0.8517042994, {0.001: -1.9693481922, 0.05: -1.6897715330, 0.3: -1.6292586327}),
        (3, 6, -0.9980624318, {0.001: -1.9899029732, 0.05: -1.6581509113, 0.3: -1.6581509113}),
        (1, 3, -1.0, {0.001: -1.3327987194}),
    ],
)
def test_the_numbers_are_those_of_awesome_align(x, y, consistency, self_training):
    """What the class BertGuideHead of awesome-align (github.com/neulab/awesome-align, commit
    5f150d4) computed of these states, with padding and special tokens. Its self-training loss lacks
    the factor 1/2 of its paper."""
    source, target = awesome_states(x, 0.0)[None], awesome_states(y, 0.3)[None]
    for threshold, loss in self_training.items():
        agreed, trained = scores_of(source, target, (full(x), full(y)), threshold)
        assert -agreed.item() == pytest.approx(consistency, abs=1e-6)
        assert -2 * trained.item() == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_equal_the_slow_twins_in_value_and_gradient_whatever_the_padding_holds(
    dtype, settings, seed
):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randint(1, 7, (2, 4), generator=generator).tolist()
    x[0] = y[1] = 1
    states = torch.randn(2, 4, 6, 5, generator=generator).to(dtype).unbind(0)
    masks = [torch.arange(6) < torch.tensor(lengths)[:, None] for lengths in (x, y)]
    dirty = [
        side.masked_fill(~mask[:, :, None], value).requires_grad_()
        for side, mask, value in zip(states, masks, (float("nan"), float("inf")))
    ]
    clean = [side.double().requires_grad_() for side in states]
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])

    fast = scores_of(*dirty, masks, 0.2, **settings)
    maps = slow_twins.word_maps(*clean, x, y, **settings)
    slow = slow_twins.map_agreement(*maps), slow_twins.self_training(*maps, 0.2)
    assert 0 < slow[1].min() and slow[1].max() <= 1
    for ours, theirs in zip(fast, slow):
        expected = torch.float64 if dtype is torch.float64 else torch.float32
        assert ours.dtype is expected
        torch.testing.assert_close(
            ours, theirs.to(expected), atol=max(TOLERANCE[dtype] / 100, 1e-12), rtol=1e-4
        )
        found = torch.autograd.grad((ours * weights).sum(), dirty, retain_graph=True)
        twins = torch.autograd.grad((theirs * weights).sum(), clean, retain_graph=True)
        for gradient, twin, mask in zip(found, twins, masks):
            tolerance = dict(atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
            torch.testing.assert_close(gradient[mask].double(), twin[mask], **tolerance)
            assert not gradient[~mask].any()


def test_no_gradient_where_every_probability_is_a_link():
    source, target = torch.randn(2, 1, 4, 3, generator=torch.Generator().manual_seed(0))
    source.requires_grad_()
    agreed, trained = scores_of(source, target, (full(4), full(4)), threshold=0.0)
    assert trained.item() == pytest.approx(1)
    assert torch.autograd.grad(trained, source, retain_graph=True)[0].abs().max() < 1e-6
    assert torch.autograd.grad(agreed, source)[0].abs().max() > 1e-3


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_side_has_score_zero_and_no_nan(empty):
    source = torch.rand(1, 3, 2, requires_grad=True)
    masks = [full(3), full(4)]
    masks[empty] = torch.zeros_like(masks[empty])
    for score in scores_of(source, torch.rand(1, 4, 2), masks):
        (gradient,) = torch.autograd.grad(score, source, retain_graph=True)
        assert score.item() == 0 and not gradient.any()


def test_sharp_products_are_finite_in_half_precision():
    states = (100 * torch.randn(1, 5, 64, generator=torch.Generator().manual_seed(0))).half()
    states.requires_grad_()
    for score in scores_of(states, states, (full(5), full(5))):
        assert score.item() == 1
        assert torch.autograd.grad(score, states, retain_graph=True)[0].isfinite().all()
