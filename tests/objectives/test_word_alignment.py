import pytest
import torch

import slow_twins
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss


def uniform_maps(x, y):
    """The maps of equal logits under the strict mask, without special tokens:
    A_yx[i, j] = 1 / (|x| + i - 1) and A_xy[j, i] = 1 / (|y| + j - 1), i and j from 1."""
    target_to_source = torch.tensor([[1 / (x + i)] * x for i in range(y)])
    source_to_target = torch.tensor([[1 / (y + j)] * y for j in range(x)])
    return source_to_target[None, None], target_to_source[None, None]


def full(length):
    return torch.ones(1, length, dtype=torch.bool)


@pytest.mark.parametrize(
    "length, trace, loss", [(1, 1.0, 0.0), (2, 0.6944, 0.6528), (3, 0.6136, 0.7955)]
)
def test_closed_form_of_uniform_attention_as_printed(length, trace, loss):
    value = attention_symmetry_loss(*uniform_maps(length, length), full(length), full(length))
    assert value.item() == pytest.approx(loss, abs=5e-5)
    assert (1 - value.item()) * length == pytest.approx(trace, abs=5e-5)


@pytest.mark.parametrize("x, y", [(1, 1), (1, 7), (5, 2), (4, 9), (31, 17)])
def test_closed_form_of_uniform_attention(x, y):
    trace = sum(1 / (x + i) for i in range(y)) * sum(1 / (y + j) for j in range(x))
    value = attention_symmetry_loss(*uniform_maps(x, y), full(x), full(y))
    assert value.item() == pytest.approx(1 - trace / min(x, y), abs=1e-6)


def test_the_same_one_to_one_alignment_in_both_maps_has_loss_zero():
    permutation = torch.eye(5)[torch.tensor([3, 0, 4, 1, 2])]
    maps = permutation.expand(1, 2, 5, 5), permutation.t().expand(1, 2, 5, 5)
    assert attention_symmetry_loss(*maps, full(5), full(5)).item() == 0


def test_two_maps_that_never_meet_have_loss_one():
    shifted = torch.eye(4)[torch.tensor([1, 2, 3, 0])]
    maps = torch.eye(4)[None, None], shifted[None, None]
    assert attention_symmetry_loss(*maps, full(4), full(4)).item() == 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_equals_the_slow_twin_in_value_and_gradient_whatever_the_padding_holds(dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randint(1, 7, (2, 4), generator=generator).tolist()
    x[0] = y[1] = 1
    logits = torch.randn(2, 4, 3, 6, 6, generator=generator)
    maps = logits.softmax(-1).to(dtype).unbind(0)
    inside = torch.arange(6)
    source_mask = inside < torch.tensor(x)[:, None]
    target_mask = inside < torch.tensor(y)[:, None]
    padding = ~(source_mask[:, :, None] & target_mask[:, None, :])[:, None]
    dirty = (
        maps[0].masked_fill(padding, float("nan")).requires_grad_(),
        maps[1].masked_fill(padding.transpose(2, 3), float("inf")).requires_grad_(),
    )
    clean = [m.double().requires_grad_() for m in maps]
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])

    fast = attention_symmetry_loss(*dirty, source_mask, target_mask)
    slow = slow_twins.attention_symmetry(*clean, x, y)
    torch.testing.assert_close(fast, slow.float(), atol=1e-6, rtol=1e-6)
    assert fast.dtype is torch.float32

    (fast * weights).sum().backward()
    (slow * weights).sum().backward()
    tolerance = {torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}[dtype]
    masks = ~padding, ~padding.transpose(2, 3)
    for ours, theirs, mask in zip(dirty, clean, masks):
        mask = mask.expand_as(ours)
        torch.testing.assert_close(
            ours.grad[mask].double(), theirs.grad[mask], atol=tolerance, rtol=tolerance
        )


def test_an_empty_side_has_loss_one_and_no_nan():
    maps = torch.rand(1, 2, 3, 4, requires_grad=True), torch.rand(1, 2, 4, 3)
    loss = attention_symmetry_loss(*maps, full(3), torch.zeros(1, 4, dtype=torch.bool))
    assert loss.item() == 1
    loss.sum().backward()
    assert maps[0].grad.abs().sum() == 0
