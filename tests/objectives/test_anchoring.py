"""The anchoring loss against its definition."""

import torch

from fairseq_amber.objectives.anchoring import anchoring_loss
from transport_problems import states


def test_anchoring_loss_is_the_squared_distance_and_moves_the_trained_states_alone():
    x, initial = states(2, 3, 4).requires_grad_(), states(2, 3, 4, seed=1).requires_grad_()
    loss = anchoring_loss(x, initial)
    torch.testing.assert_close(loss, (x - initial).norm(dim=-1) ** 2)
    loss.sum().backward()
    torch.testing.assert_close(x.grad, 2 * (x - initial).detach())
    assert initial.grad is None
    assert anchoring_loss(x.bfloat16(), initial.float()).dtype == torch.float32
