"""The distance between linked words against its definition."""

import torch

from fairseq_amber.objectives.l2_alignment import linked_distance
from transport_problems import states


def test_linked_distance_moves_both_sides():
    x, y = states(5, 4).requires_grad_(), states(5, 4, seed=1).requires_grad_()
    loss = linked_distance(x, y)
    torch.testing.assert_close(loss, (x - y).norm(dim=-1) ** 2)
    loss.sum().backward()
    torch.testing.assert_close(x.grad, -y.grad)
    assert linked_distance(x.half(), y.half()).dtype == torch.float32
