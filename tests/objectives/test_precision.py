"""The precision of objectives: fp64 stays, everything else becomes fp32."""

import pytest
import torch

from fairseq_amber.objectives.precision import at_least_fp32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_everything_but_fp64_becomes_fp32(dtype):
    values = torch.tensor([1, 2]).to(dtype)
    assert at_least_fp32(values).dtype == torch.float32
    assert [t.dtype for t in at_least_fp32(values, values.bfloat16())] == [torch.float32] * 2


def test_one_fp64_tensor_makes_all_fp64():
    double, half = torch.ones(2, dtype=torch.float64), torch.ones(3, dtype=torch.float16)
    assert [t.dtype for t in at_least_fp32(half, double)] == [torch.float64] * 2


def test_a_tensor_in_that_precision_is_not_copied():
    values = torch.ones(2, dtype=torch.float64)
    assert at_least_fp32(values) is values
