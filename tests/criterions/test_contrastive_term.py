import pytest
import torch
import torch.nn.functional as F

from fairseq_amber.criterions.contrastive_term import contrastive_term
from fairseq_amber.criterions.update_pairs import Pairs, Step, choice_over


def test_a_closed_form():
    """With orthonormal or equal vectors of two pairs, the loss is softplus of minus the gap."""
    basis, keys = torch.eye(2), torch.tensor([[1, 1, 1], [2, 2, 1]])
    for targets, expected, correct in (
        (basis, F.softplus(torch.tensor(-2.0)), 2),
        (basis[[0, 0]], torch.tensor(2.0).log(), 0),
    ):
        pairs = Pairs(basis, targets, keys)
        choice = choice_over([Step(pairs, pairs, 0)])
        result = contrastive_term(choice, temperature=0.5, normalize=False, symmetric=False)
        assert result.total.item() == pytest.approx(2 * expected.item())
        assert result.correct == correct
