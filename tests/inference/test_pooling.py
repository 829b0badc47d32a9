import pytest
import torch

from fairseq_amber.inference.pooling import POOLINGS, pool


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_does_not_matter_and_the_result_is_float32(pooling):
    torch.manual_seed(0)
    states = torch.randn(1, 4, 3).half()
    padded = torch.cat([states, torch.full((1, 2, 3), 9.0).half()], dim=1)
    mask = torch.ones(1, 6, dtype=torch.bool)
    mask[:, 4:] = False
    found = pool(padded, mask, pooling)
    tokens = {"mean": [0, 1, 2, 3], "mean-no-specials": [1, 2], "cls": [0]}[pooling]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, states[:, tokens].float().mean(1))


def test_a_row_without_subwords_has_zeros_without_specials():
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert pool(torch.ones(1, 2, 3), mask, "mean-no-specials").eq(0).all()
