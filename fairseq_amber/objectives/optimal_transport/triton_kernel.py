"""Sinkhorn's iterations in one GPU kernel, in the logarithmic domain and in fp32.

A program solves a problem, whose cost it holds in registers from the first iteration to the last: a
loop of torch operations starts several kernels an iteration, each of which reads the cost anew.
Triton is imported, and the kernel compiled, when it is first used.

Shapes: B problems of at most S source and T target points.
"""

from __future__ import annotations

import functools
import math
import os
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import triton.language as tl

LONGEST = 128  # of S and T: the cost then takes 64 of a thread's 255 registers
_WARPS = 8  # of a program, at most
_ELEMENTS = 1024  # of the cost for each warp, 32 for each thread, where fewer warps do
_SMALLEST_BLOCK = 16
_WIDTH = 8  # threads of a warp along a row
_CAPABILITY = (7, 0)  # of a GPU, for Triton
_VERSION = 3  # of Triton: 2.3 aborts on tensors of three dimensions


def available(cost: torch.Tensor) -> bool:
    """Whether :func:`log_scalings` takes this cost, (B, S, T): fp32, S and T at most ``LONGEST``,
    on a GPU, with Triton 3. With ``TRITON_INTERPRET=1`` also on a CPU, slowly, for tests."""
    if cost.dtype != torch.float32 or max(cost.shape[1:]) > LONGEST:
        return False
    if cost.is_cuda:
        supported = torch.cuda.get_device_capability(cost.device) >= _CAPABILITY
    else:
        supported = os.environ.get("TRITON_INTERPRET") == "1"
    return supported and _installed()


def log_scalings(
    cost: torch.Tensor,
    log_a: torch.Tensor,
    log_b: torch.Tensor,
    *,
    epsilon: float,
    iterations: int,
    power: float,
    tolerance: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logarithms of u and v after Sinkhorn's iterations, which begin with ``log u = 0``.

    An iteration, where ``log K = -C / epsilon``::

        log v_j = -power log sum_i a_i u_i K_ij
        log u_i = -power log sum_j b_j v_j K_ij

    The plan is ``P_ij = a_i u_i K_ij v_j b_j``. Its relative error is about the largest
    ``|C| / epsilon`` times 1e-7. No gradient is recorded, and the GPU is not waited for.

    Args:
        cost: (B, S, T) fp32 of any strides, see :func:`available`; anything in the padding.
        log_a, log_b: (B, S), (B, T) fp32 logarithms of the weights, -inf = padding.
        epsilon: temperature, in units of the cost.
        iterations: of each problem, at most.
        power: 1, or ``reach / (reach + epsilon)`` for marginals that may differ from a and b.
        tolerance: a problem stops by itself after the iteration in which
            ``sum_i a_i |u_i / u'_i - 1|`` is below it, u before and u' after; None for never. In
            the balanced case this is the L1 norm of the row sums' error before the update.

    Returns:
        log u (B, S) and log v (B, T) fp32, 0 in the padding and, where one side of a problem is all
        padding, on both sides.
    """
    if not cost.numel():
        return torch.zeros_like(log_a), torch.zeros_like(log_b)
    problems, rows, columns = cost.shape
    row_block, column_block = _block(rows), _block(columns)
    log_a, log_b = log_a.contiguous(), log_b.contiguous()
    log_u, log_v = torch.empty_like(log_a), torch.empty_like(log_b)
    with torch.cuda.device_of(cost):  # Triton starts kernels on the current one
        _kernel()[(problems,)](
            cost,
            log_a,
            log_b,
            log_u,
            log_v,
            rows,
            columns,
            *cost.stride(),
            -math.log2(math.e) / epsilon,
            float(power),
            iterations,
            0.0 if tolerance is None else float(tolerance),
            STOPS=tolerance is not None,
            ROWS=row_block,
            FOLDS=column_block // _WIDTH,
            WIDTH=_WIDTH,
            num_warps=min(max(row_block * column_block // _ELEMENTS, 1), _WARPS),
        )
    return log_u, log_v


def _block(length: int) -> int:
    """The power of two that holds it, as the shapes of a kernel have to be."""
    return max(1 << (length - 1).bit_length(), _SMALLEST_BLOCK)


@functools.lru_cache(maxsize=None)
def _installed() -> bool:
    try:
        import triton
    except ImportError:
        return False
    return int(triton.__version__.split(".")[0]) >= _VERSION


@functools.lru_cache(maxsize=None)
def _kernel() -> Any:
    """What compiles :func:`_iterate`, once for each size of block. Of its other arguments only the
    innermost stride, where it is 1, makes a kernel of its own."""
    global tl  # where Triton looks it up
    import triton
    import triton.language as tl

    varying = ["rows", "columns", "problem_stride", "row_stride", "iterations"]
    return triton.jit(_iterate, do_not_specialize=varying)


def _iterate(
    cost,
    log_a,
    log_b,
    log_u,
    log_v,
    rows,
    columns,
    problem_stride,
    row_stride,
    column_stride,
    factor,
    power,
    iterations,
    tolerance,
    STOPS: tl.constexpr,
    ROWS: tl.constexpr,
    FOLDS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One problem, in Triton's language. Logarithms are to base 2, the hardware's; ``factor`` is
    ``-log2(e) / epsilon``.

    Columns are folded, (FOLDS, WIDTH), and so is the cost, (FOLDS, ROWS, WIDTH). Triton gives the
    threads of a warp to the innermost dimensions first: WIDTH of them along a row, the other four
    along a column. Sums over rows and over columns then take few exchanges between threads.

    Nothing becomes NaN: in the padding weights are -inf, but log K is 0 and scalings are finite, so
    a maximum is finite wherever both sides have a point; elsewhere there is no iteration.
    """
    problem = tl.program_id(0).to(tl.int64)  # B S T may pass 2^31
    i = tl.arange(0, ROWS)
    j = tl.arange(0, FOLDS)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    a = tl.load(log_a + problem * rows + i, mask=i < rows, other=-float("inf"))
    b = tl.load(log_b + problem * columns + j, mask=j < columns, other=-float("inf"))
    row_valid = a > -float("inf")
    column_valid = b > -float("inf")
    a *= 1.4426950408889634  # log2(e)
    b *= 1.4426950408889634
    weights = tl.math.exp2(a)

    # Read in two dimensions, whose contiguous one is the innermost to every version of Triton.
    fold_row = tl.arange(0, FOLDS * ROWS)
    row = (fold_row % ROWS)[:, None]
    column = (fold_row // ROWS * WIDTH)[:, None] + tl.arange(0, WIDTH)[None, :]
    places = row.to(tl.int64) * row_stride + column.to(tl.int64) * column_stride
    inside = (row < rows) & (column < columns)
    log_kernel = tl.load(cost + problem * problem_stride + places, mask=inside, other=0.0) * factor
    valid = row_valid[:, None][None, :, :] & column_valid[:, None, :]
    log_kernel = tl.where(valid, tl.reshape(log_kernel, (FOLDS, ROWS, WIDTH)), 0.0)

    u = tl.zeros([ROWS], dtype=tl.float32)
    v = tl.zeros([FOLDS, WIDTH], dtype=tl.float32)
    any_row = tl.max(a, axis=0) > -float("inf")
    any_column = tl.max(tl.max(b, axis=1), axis=0) > -float("inf")
    step = tl.where(any_row & any_column, 0, iterations)
    while step < iterations:
        by_column = log_kernel + (a + u)[:, None][None, :, :]
        column_largest = tl.max(by_column, axis=1)
        by_column = tl.math.exp2(by_column - column_largest[:, None, :])
        v = -power * (column_largest + tl.math.log2(tl.sum(by_column, axis=1)))

        by_row = log_kernel + (b + v)[:, None, :]
        row_largest = tl.max(tl.max(by_row, axis=0), axis=1)
        by_row = tl.math.exp2(by_row - row_largest[:, None][None, :, :])
        next_u = -power * (row_largest + tl.math.log2(tl.sum(tl.sum(by_row, axis=0), axis=1)))

        step += 1
        if STOPS:
            change = tl.where(row_valid, u - next_u, 0.0)
            moved = tl.sum(weights * tl.abs(tl.math.exp2(change) - 1.0), axis=0)
            step = tl.where(moved < tolerance, iterations, step)
        u = next_u

    u = tl.where(row_valid, u, 0.0) * 0.6931471805599453  # log(2)
    v = tl.where(column_valid, v, 0.0) * 0.6931471805599453
    tl.store(log_u + problem * rows + i, u, mask=i < rows)
    tl.store(log_v + problem * columns + j, v, mask=j < columns)
