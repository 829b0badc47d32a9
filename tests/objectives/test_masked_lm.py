import math

import pytest
import torch

from fairseq_amber.objectives.masked_lm import masked_lm_loss


def test_equals_the_definition():
    logits = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    total = sum(math.exp(v) for v in (1, 2, 3))
    expected = [-math.log(math.exp(2) / total), math.log(3)]
    assert masked_lm_loss(logits, torch.tensor([1, 0])).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_scores_give_an_fp32_loss(dtype):
    logits = torch.randn(5, 1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    targets = torch.arange(5)
    loss = masked_lm_loss(logits, targets)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, masked_lm_loss(logits.double(), targets).float())


def test_no_masked_position_is_no_loss_but_has_a_gradient():
    logits = torch.randn(0, 7, requires_grad=True)
    masked_lm_loss(logits, torch.empty(0, dtype=torch.int64)).sum().backward()
    assert logits.grad.shape == (0, 7)
