"""On a GPU: the compiled kernel, against the same iterations in fp64."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn, triton_kernel
from slow_twins import sinkhorn_scalings

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def where(device):
    """A GPU or, with TRITON_INTERPRET=1, the CPU, where Triton interprets the kernel."""
    if not triton_kernel.available(torch.zeros(1, 1, 1, device=device)):
        pytest.skip("the kernel needs a CUDA GPU and Triton 3")
    return device


def ragged(count, rows, columns, *, scale=1.0, device):
    """Problems of random lengths from 1, the first of full size and the last one empty."""
    torch.manual_seed(0)
    cost = scale * torch.rand(count, rows, columns)
    sides = []
    for length in (rows, columns):
        lengths = torch.randint(1, length + 1, (count, 1))
        lengths[0], lengths[-1] = length, 0
        weights = (0.1 + torch.rand(count, length)) * (torch.arange(length) < lengths)
        sides.append(weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-30))
    valid = (sides[0] > 0).unsqueeze(2) & (sides[1] > 0).unsqueeze(1)
    cost = cost.masked_fill(~valid, float("nan"))
    return [tensor.to(device) for tensor in (cost, *sides)]


def scalings(cost, a, b, epsilon=0.1, iterations=50, power=1.0, tolerance=None):
    return triton_kernel.log_scalings(
        cost,
        a.log(),
        b.log(),
        epsilon=epsilon,
        iterations=iterations,
        power=power,
        tolerance=tolerance,
    )


def slow_twin(cost, a, b, epsilon=0.1, iterations=50, power=1.0, tolerance=None):
    """The slow twin, in fp64 on the CPU."""
    cost, a, b = (tensor.cpu() for tensor in (cost, a, b))
    settings = dict(epsilon=epsilon, iterations=iterations, power=power, tolerance=tolerance)
    return sinkhorn_scalings(cost, a.log(), b.log(), **settings)


def assert_close(ours, theirs, atol):
    for side, twin in zip(ours, theirs):
        assert side.dtype == torch.float32
        torch.testing.assert_close(side.cpu().double(), twin.cpu().double(), atol=atol, rtol=0)


@pytest.mark.parametrize("columns", [1, 16, 60, 128])
@pytest.mark.parametrize("rows", [1, 16, 60, 128])
def test_every_size_of_block(device, rows, columns):
    problems = ragged(7, rows, columns, device=device)
    assert_close(scalings(*problems), slow_twin(*problems), atol=1e-4)


@pytest.mark.parametrize("power, tolerance", [(1.0, 1e-2), (0.7, None), (0.7, 1e-2)])
def test_power_and_tolerance(device, power, tolerance):
    problems = ragged(7, 40, 50, scale=2.0, device=device)
    settings = dict(power=power, tolerance=tolerance)
    ours = scalings(*problems, **settings)
    assert_close(ours, slow_twin(*problems, **settings), atol=1e-4)
    for b in range(7):
        alone = scalings(*(tensor[b : b + 1] for tensor in problems), **settings)
        assert torch.equal(alone[0][0], ours[0][b]) and torch.equal(alone[1][0], ours[1][b])


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_any_scale_of_the_cost(device, scale):
    problems = ragged(7, 40, 50, scale=scale, device=device)
    assert_close(scalings(*problems), slow_twin(*problems), atol=1e-5 * (1 + scale / 0.1))


def test_any_strides(device):
    cost, a, b = ragged(5, 30, 50, device=device)
    expected = scalings(cost, a, b)
    transposed = cost.transpose(1, 2).contiguous().transpose(1, 2)
    every_other = torch.zeros(5, 30, 100, device=device)[:, :, ::2].copy_(cost)
    for view in (transposed, every_other):
        assert_close(scalings(view, a, b), expected, atol=1e-5)


def test_a_batch_beyond_32_bit_offsets(device):
    """Problems that are far apart in memory; they do not take 8 GiB themselves."""
    if device.type != "cuda":
        pytest.skip("needs a CUDA GPU")
    cost, a, b = ragged(3, 60, 60, device=device)
    if torch.cuda.mem_get_info()[0] < 12 * 2**30:
        pytest.skip("needs 12 GiB of free memory")
    room = torch.empty(2**31 + 3600, device="cuda")
    apart = room.as_strided((3, 60, 60), (2**30, 60, 1)).copy_(cost)
    assert_close(scalings(apart, a, b), scalings(cost, a, b), atol=0)


def test_other_settings_never_wait_for_the_gpu(device, never_waiting):
    problems = ragged(7, 60, 60, device=device)
    chosen = [(0.1, 50, 1.0, 1e-3), (1.0, 1, 0.5, 1e-1), (0.3, 16, 0.9, 0.0)]
    scalings(*problems, *chosen[0])  # compiles the kernel
    with never_waiting():
        for values in chosen:
            scalings(*problems, *values)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_gpu_that_is_not_the_current_one():
    expected = scalings(*ragged(7, 20, 30, device="cuda"))
    elsewhere = scalings(*ragged(7, 20, 30, device="cuda:1"))
    assert_close([side.cuda() for side in elsewhere], expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("reach", [None, 0.5])
def test_sinkhorn_by_this_kernel_equals_sinkhorn_by_torch(device, reach, dtype):
    cost, a, b = ragged(64, 60, 60, device=device)
    results = []
    for kernel in ("triton", "torch"):
        leaf = cost.to(dtype).requires_grad_()
        result = sinkhorn(leaf, a, b, epsilon=0.1, reach=reach, kernel=kernel)
        (gradient,) = torch.autograd.grad(result.cost.sum(), leaf)
        results.append((result.plan, result.cost, gradient))
    rounding = 1e-4 if dtype == torch.float32 else torch.finfo(dtype).eps
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=rounding)
