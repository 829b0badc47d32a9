"""The kernel in Triton's interpreter on the CPU, and compiled for a GPU without one."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch

from slow_twins import sinkhorn_scalings as slow_twin

# Before 3.2 the interpreter lacks arithmetic of constants, and compiling has another interface.
triton = pytest.importorskip("triton", minversion="3.2", reason="needs Triton 3.2")

from fairseq_amber.objectives.optimal_transport import sinkhorn, triton_kernel  # noqa: E402

EMPTY = float("-inf")


@pytest.fixture(scope="module")
def interpreted():
    """Calls a function in another process, where Triton was imported as interpreter."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool, pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRITON_INTERPRET", "1")
        pool.submit(int).result()  # starts the process
        environment.undo()
        yield lambda function, *args, **settings: pool.submit(function, *args, **settings).result()


def settings(epsilon=0.1, iterations=20, power=1.0, tolerance=None):
    return dict(epsilon=epsilon, iterations=iterations, power=power, tolerance=tolerance)


def problems(lengths, shape, scale=1.0, seed=0):
    """Random costs up to ``scale`` and log-weights; NaN and infinity in the padding."""
    generator = torch.Generator().manual_seed(seed)
    cost = torch.full((len(lengths), *shape), float("nan"))
    cost[:, 1::2] = float("inf")
    log_weights = [torch.full((len(lengths), length), EMPTY) for length in shape]
    for b, sides in enumerate(lengths):
        cost[b, : sides[0], : sides[1]] = scale * torch.rand(sides, generator=generator)
        for side, length in zip(log_weights, sides):
            weights = 0.1 + torch.rand(length, generator=generator)
            side[b, :length] = (weights / weights.sum()).log()
    return (cost, *log_weights)


def assert_close(ours, theirs, atol):
    for side, twin in zip(ours, theirs):
        assert side.dtype == torch.float32
        torch.testing.assert_close(side.double(), twin, atol=atol, rtol=0)


RAGGED = [(5, 9), (17, 3), (1, 1), (1, 20), (17, 20), (8, 1)]


@pytest.mark.parametrize("power", [1.0, 0.6])
@pytest.mark.parametrize("shape", [(17, 20), (20, 33)])
def test_equals_the_slow_twin_whatever_the_padding(interpreted, shape, power):
    batch = problems(RAGGED, shape)
    ours = interpreted(triton_kernel.log_scalings, *batch, **settings(power=power))
    assert_close(ours, slow_twin(*batch, **settings(power=power)), atol=1e-5)


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_any_scale_of_the_cost(interpreted, scale, epsilon):
    batch = problems([(7, 12), (12, 5)], (12, 12), scale)
    chosen = settings(epsilon=epsilon, iterations=30)
    ours = interpreted(triton_kernel.log_scalings, *batch, **chosen)
    assert_close(ours, slow_twin(*batch, **chosen), atol=3e-6 * (1 + scale / epsilon))


def test_a_negative_cost(interpreted):
    cost, log_a, log_b = problems([(7, 12)], (7, 12), 100.0)
    batch = cost - 200, log_a, log_b
    ours = interpreted(triton_kernel.log_scalings, *batch, **settings())
    assert_close(ours, slow_twin(*batch, **settings()), atol=2e-3)


def test_a_weight_of_zero_between_others(interpreted):
    cost, log_a, log_b = problems([(9, 11), (9, 11)], (9, 11))
    log_a[0, 0] = log_a[0, 4] = log_b[1, 3] = EMPTY
    cost[0, 4] = float("nan")
    batch = cost, log_a, log_b
    ours = interpreted(triton_kernel.log_scalings, *batch, **settings())
    assert_close(ours, slow_twin(*batch, **settings()), atol=1e-5)
    assert ours[0][0, 4] == 0 and ours[1][1, 3] == 0


def test_an_empty_problem_is_zero_and_leaves_the_others_alone(interpreted):
    batch = problems([(4, 6), (0, 6), (4, 0), (0, 0)], (4, 6))
    chosen = settings(tolerance=1e-3)
    log_u, log_v = interpreted(triton_kernel.log_scalings, *batch, **chosen)
    assert not log_u[1:].any() and not log_v[1:].any()
    assert log_u[0].all() and log_v[0].all()


@pytest.mark.parametrize("shape", [(0, 4, 6), (3, 0, 6), (3, 4, 0)])
def test_no_problem_or_no_point_at_all(shape):
    cost = torch.zeros(shape)
    sides = torch.zeros(shape[:2]), torch.zeros(shape[::2])
    log_u, log_v = triton_kernel.log_scalings(cost, *sides, **settings())
    assert torch.equal(log_u, sides[0]) and torch.equal(log_v, sides[1])


@pytest.mark.parametrize("iterations", [1, 2])
def test_the_number_of_iterations(interpreted, iterations):
    batch = problems(RAGGED, (17, 20))
    chosen = settings(iterations=iterations)
    ours = interpreted(triton_kernel.log_scalings, *batch, **chosen)
    assert_close(ours, slow_twin(*batch, **chosen), atol=1e-5)


@pytest.mark.parametrize("power", [1.0, 0.8])
def test_each_problem_stops_by_itself(interpreted, power):
    batch = problems(RAGGED, (17, 20), scale=2.0)
    chosen = settings(iterations=60, power=power, tolerance=1e-2)
    ours = interpreted(triton_kernel.log_scalings, *batch, **chosen)
    assert_close(ours, slow_twin(*batch, **chosen), atol=1e-5)
    unstopped = slow_twin(*batch, **{**chosen, "tolerance": None})
    assert (ours[0] - unstopped[0]).abs().max() > 1e-4  # or the tolerance would test nothing
    for b in range(len(RAGGED)):
        alone = interpreted(triton_kernel.log_scalings, *(x[b : b + 1] for x in batch), **chosen)
        assert torch.equal(alone[0][0], ours[0][b]) and torch.equal(alone[1][0], ours[1][b])


def test_padding_does_not_keep_a_problem_from_stopping(interpreted):
    """The scalings of points without weight overflow fp32 here."""
    cost, log_a, log_b = problems([(5, 7)], (9, 9), scale=0.3)
    batch = cost + 20, log_a, log_b
    ours = interpreted(triton_kernel.log_scalings, *batch, **settings(tolerance=0.9))
    once = slow_twin(*batch, **settings(iterations=1))
    assert_close(ours, once, atol=1e-3)
    assert not torch.allclose(slow_twin(*batch, **settings())[0], once[0], atol=1e-2)


def test_any_strides(interpreted):
    cost, log_a, log_b = problems([(9, 11), (5, 3)], (9, 11))
    expected = interpreted(triton_kernel.log_scalings, cost, log_a, log_b, **settings())
    transposed = cost.transpose(1, 2).contiguous().transpose(1, 2)
    every_other = torch.zeros(4, 9, 22)[::2, :, ::2].copy_(cost)
    weights = torch.zeros(9, 2).t().copy_(log_a), torch.zeros(2, 33)[:, ::3].copy_(log_b)
    for view in (transposed, every_other):
        ours = interpreted(triton_kernel.log_scalings, view, *weights, **settings())
        assert torch.equal(ours[0], expected[0]) and torch.equal(ours[1], expected[1])


def test_the_longest_problem(interpreted):
    longest = triton_kernel.LONGEST
    batch = problems([(longest, longest - 1), (3, 100)], (longest, longest))
    ours = interpreted(triton_kernel.log_scalings, *batch, **settings(iterations=5))
    assert_close(ours, slow_twin(*batch, **settings(iterations=5)), atol=1e-5)


def test_availability(interpreted):
    cost = torch.zeros(2, triton_kernel.LONGEST, 1)
    longer = torch.zeros(2, 1, triton_kernel.LONGEST + 1)
    assert interpreted(triton_kernel.available, cost)
    assert not interpreted(triton_kernel.available, cost.double())
    assert not interpreted(triton_kernel.available, longer)
    assert not triton_kernel.available(cost)  # on a CPU, without the interpreter


@pytest.mark.parametrize("reach", [None, 0.5])
def test_sinkhorn_by_this_kernel_equals_sinkhorn_by_torch(interpreted, reach):
    cost, log_a, log_b = problems([(9, 11), (5, 3), (0, 4)], (9, 11))
    inputs = cost, log_a.exp(), log_b.exp()
    ours, theirs = (
        interpreted(sinkhorn, *inputs, epsilon=0.1, reach=reach, kernel=kernel)
        for kernel in ("triton", "torch")
    )
    torch.testing.assert_close(ours.plan, theirs.plan, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(ours.cost, theirs.cost, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("column_stride", ["i32", 1])
def test_compiles_for_a_gpu_and_keeps_its_layout(monkeypatch, tmp_path, stops, column_stride):
    """A change of layout within the loop would go through shared memory."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = triton_kernel._kernel()
    constants = dict(STOPS=stops, ROWS=64, FOLDS=8, WIDTH=8)
    if column_stride == 1:
        constants["column_stride"] = 1
    types = {"cost": "*fp32", "factor": "fp32", "power": "fp32", "tolerance": "fp32"}
    types.update(dict.fromkeys(("log_a", "log_b", "log_u", "log_v"), "*fp32"))
    types.update(dict.fromkeys(constants, "constexpr"))
    source = ASTSource(kernel, {n: types.get(n, "i32") for n in kernel.arg_names}, constants)
    code = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": 4}).asm
    (loop,) = re.findall(r"scf\.while.*?\bscf\.yield", code["ttgir"], re.DOTALL)
    assert loop.count("tt.reduce") and "convert_layout" not in loop
