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


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_negatives_of_both_sides(normalize, symmetric):
    """Against loops over all candidates; two pairs share a source, and one does not count."""
    generator = torch.Generator().manual_seed(3)
    sides = [
        torch.randn(5, 4, generator=generator, dtype=torch.float64).requires_grad_() for _ in "xy"
    ]
    keys = torch.tensor([[1, 10, 1], [2, 20, 1], [1, 30, 2], [4, 40, 0], [5, 50, 2]])
    pairs = Pairs(*sides, keys)
    choice = choice_over([Step(pairs, pairs, 0)])
    how = dict(temperature=0.5, normalize=normalize, symmetric=symmetric)
    result = contrastive_term(choice, **how, both_sides=True)

    losses, right = [], 0
    for side in (0, 1) if symmetric else (0,):
        for a in (0, 1, 2, 4):
            scores = []
            for b in (0, 1, 2, 4):
                if b != a and keys[a, 0] == keys[b, 0]:
                    continue
                for other in (1 - side, side):
                    if (other, b) != (side, a):
                        x, y = sides[side][a], sides[other][b]
                        score = F.cosine_similarity(x, y, dim=0) if normalize else x @ y
                        scores.append(score / 0.5)
                        if (other, b) == (1 - side, a):
                            own = scores[-1]
            losses.append(torch.stack(scores).logsumexp(0) - own)
            right += side == 0 and sum(bool(score >= own) for score in scores) == 1
    expected = torch.stack(losses).sum() / (1 + symmetric)
    assert result.total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert result.correct == right
    fast = torch.autograd.grad(result.total, sides)
    for ours, theirs in zip(fast, torch.autograd.grad(expected, sides)):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
