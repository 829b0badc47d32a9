import pytest
import torch

from fairseq_amber.metrics.margin import MARGINS, margin_scores


@pytest.mark.parametrize("margin, score", [("ratio", 1.5), ("distance", 0.2), ("absolute", 0.6)])
def test_margins_of_a_known_pair(margin, score):
    values = (torch.tensor([value], dtype=torch.float64) for value in (0.6, 0.5, 0.3))
    assert margin_scores(*values, margin).tolist() == pytest.approx([score])


@pytest.mark.parametrize("margin", MARGINS)
def test_scores_of_a_matrix_are_those_of_each_pair(margin):
    torch.manual_seed(0)
    cosine, x, y = torch.rand(4, 5), torch.rand(4), torch.rand(5)
    scores = margin_scores(cosine, x[:, None], y, margin)
    for i in range(4):
        for j in range(5):
            assert scores[i, j] == margin_scores(cosine[i, j], x[i], y[j], margin)


def test_a_ratio_whose_denominator_is_not_positive():
    values = torch.tensor([0.3, -0.3]), torch.tensor([-0.2, 0.0]), torch.tensor([0.1, 0.0])
    assert margin_scores(*values, "ratio").tolist() == [float("-inf")] * 2
    found = margin_scores(*values, "ratio", smallest=0.5)
    assert found.tolist() == pytest.approx([0.6, -0.6])


def test_an_unknown_margin_is_refused():
    with pytest.raises(ValueError, match="sum"):
        margin_scores(*torch.ones(3, 1), "sum")
