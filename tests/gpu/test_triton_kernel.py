"""On a GPU: the compiled kernel, against the same iterations in fp64."""

import pytest
import torch

from fairseq_amber.objectives.optimal_transport import sinkhorn, triton_kernel

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() or not triton_kernel.available(torch.zeros(1, 1, 1).cuda()),
        reason="needs a CUDA GPU and Triton 3",
    ),
]


def ragged(count, rows, columns, scale=1.0, device="cuda"):
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
    """One problem at a time, without its padding."""
    found = torch.zeros_like(a), torch.zeros_like(b)
    for b_, problem in enumerate(cost.double()):
        rows, columns = a[b_] > 0, b[b_] > 0
        if not (rows.any() and columns.any()):
            continue
        log_kernel = -problem[rows][:, columns] / epsilon
        log_a, log_b = a[b_, rows].double().log(), b[b_, columns].double().log()
        u = torch.zeros_like(log_a)
        for _ in range(iterations):
            v = -power * torch.logsumexp(log_kernel + (log_a + u)[:, None], dim=0)
            old, u = u, -power * torch.logsumexp(log_kernel + (log_b + v)[None, :], dim=1)
            if tolerance is not None and log_a.exp().dot((old - u).expm1().abs()) < tolerance:
                break
        found[0][b_, rows], found[1][b_, columns] = u.float(), v.float()
    return found


def assert_close(ours, theirs, atol):
    for side, twin in zip(ours, theirs):
        torch.testing.assert_close(side, twin, atol=atol, rtol=0)


@pytest.mark.parametrize("columns", [1, 16, 60, 128])
@pytest.mark.parametrize("rows", [1, 16, 60, 128])
def test_every_size_of_block(rows, columns):
    problems = ragged(7, rows, columns)
    assert_close(scalings(*problems), slow_twin(*problems), atol=1e-4)


@pytest.mark.parametrize("power, tolerance", [(1.0, 1e-2), (0.7, None), (0.7, 1e-2)])
def test_power_and_tolerance(power, tolerance):
    problems, settings = ragged(7, 40, 50, scale=2.0), dict(power=power, tolerance=tolerance)
    ours = scalings(*problems, **settings)
    assert_close(ours, slow_twin(*problems, **settings), atol=1e-4)
    for b in range(7):
        alone = scalings(*(tensor[b : b + 1] for tensor in problems), **settings)
        assert torch.equal(alone[0][0], ours[0][b]) and torch.equal(alone[1][0], ours[1][b])


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_any_scale_of_the_cost(scale):
    problems = ragged(7, 40, 50, scale)
    assert_close(scalings(*problems), slow_twin(*problems), atol=1e-5 * (1 + scale / 0.1))


def test_any_strides():
    cost, a, b = ragged(5, 30, 50)
    expected = scalings(cost, a, b)
    transposed = cost.transpose(1, 2).contiguous().transpose(1, 2)
    every_other = torch.zeros(5, 30, 100, device="cuda")[:, :, ::2].copy_(cost)
    for view in (transposed, every_other):
        assert_close(scalings(view, a, b), expected, atol=1e-5)


def test_a_batch_beyond_32_bit_offsets():
    """Problems far apart in memory, not 8 GiB of them."""
    cost, a, b = ragged(3, 60, 60)
    if torch.cuda.mem_get_info()[0] < 12 * 2**30:
        pytest.skip("needs 12 GiB of free memory")
    room = torch.empty(2**31 + 3600, device="cuda")
    apart = room.as_strided((3, 60, 60), (2**30, 60, 1)).copy_(cost)
    assert_close(scalings(apart, a, b), scalings(cost, a, b), atol=0)


def test_other_settings_never_wait_for_the_gpu():
    problems = ragged(7, 60, 60)
    chosen = [(0.1, 50, 1.0, 1e-3), (1.0, 1, 0.5, 1e-1), (0.3, 16, 0.9, 0.0)]
    scalings(*problems, *chosen[0])  # compiled
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for values in chosen:
            scalings(*problems, *values)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_gpu_that_is_not_the_current_one():
    expected = scalings(*ragged(7, 20, 30))
    elsewhere = scalings(*ragged(7, 20, 30, device="cuda:1"))
    assert_close([side.cuda() for side in elsewhere], expected, atol=1e-6)


@pytest.mark.parametrize("reach", [None, 0.5])
def test_sinkhorn_by_this_kernel_equals_sinkhorn_by_torch(reach):
    cost, a, b = ragged(64, 60, 60)
    results = []
    for kernel in ("triton", "torch"):
        leaf = cost.clone().requires_grad_()
        result = sinkhorn(leaf, a, b, epsilon=0.1, reach=reach, kernel=kernel)
        (gradient,) = torch.autograd.grad(result.cost.sum(), leaf)
        results.append((result.plan, result.cost, gradient))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
