"""Sinkhorn's iterations in one GPU kernel, in the logarithmic domain and in fp32.

Each program of the kernel solves one problem and holds its cost in registers from the first to the
last iteration. A loop of torch operations, in contrast, starts several kernels in each iteration,
and each of them reads the cost from memory. Triton is imported, and the kernel compiled, at the
first use.

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

LONGEST = 128  # largest S and T: the cost then takes 64 of the 255 registers of a thread
_WARPS = 8  # largest number of warps of a program
_ELEMENTS = 1024  # elements of the cost for each warp (32 for each thread), in smaller problems
_SMALLEST_BLOCK = 16
_WIDTH = 8  # threads of a warp that lie along a row
_CAPABILITY = (7, 0)  # lowest compute capability that Triton supports
_VERSION = 3  # lowest major version of Triton: 2.3 aborts on tensors of three dimensions


def available(cost: torch.Tensor) -> bool:
    """Returns whether ``log_scalings`` can solve problems with this (B, S, T) cost.

    It requires fp32, S and T up to ``LONGEST``, a GPU, and Triton 3. With ``TRITON_INTERPRET=1`` it
    also runs on a CPU, slowly, for tests.
    """
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
    """Computes the logarithms of the scalings u and v by Sinkhorn's iterations.

    They begin with ``log u = 0``. With ``log K = -C / epsilon``, an iteration is::

        log v_j = -power log sum_i a_i u_i K_ij
        log u_i = -power log sum_j b_j v_j K_ij

    The plan is ``P_ij = a_i u_i K_ij v_j b_j``. Its relative error is about the largest
    ``|C| / epsilon`` times 1e-7. No gradient is recorded, and the host does not wait for the GPU.

    Args:
        cost: (B, S, T) costs C in fp32, of any strides; padding may have any value.
        log_a: (B, S) logarithms of the source weights in fp32; -inf = padding.
        log_b: (B, T) logarithms of the target weights in fp32; -inf = padding.
        epsilon: the temperature, in units of the cost.
        iterations: the largest number of iterations.
        power: 1, or ``reach / (reach + epsilon)`` for marginals that may differ from a and b.
        tolerance: a problem stops after an iteration in which ``sum_i a_i |u_i / u'_i - 1|`` is
            smaller, with u before and u' after it; None for never. In the balanced case this is the
            L1 norm of the error of the row sums before the update.

    Returns:
        log u (B, S) and log v (B, T) in fp32. They are 0 in the padding, and on both sides of a
        problem that has only padding on one side.
    """
    if not cost.numel():
        return torch.zeros_like(log_a), torch.zeros_like(log_b)
    problems, rows, columns = cost.shape
    row_block, column_block = _block(rows), _block(columns)
    log_a, log_b = log_a.contiguous(), log_b.contiguous()
    log_u, log_v = torch.empty_like(log_a), torch.empty_like(log_b)
    with torch.cuda.device_of(cost):  # Triton starts kernels on the current device
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
    """Returns the smallest block that holds ``length``; a kernel's shapes are powers of two."""
    return max(1 << (length - 1).bit_length(), _SMALLEST_BLOCK)


@functools.lru_cache(maxsize=None)
def _installed() -> bool:
    """Returns whether a sufficiently new Triton is installed."""
    try:
        import triton
    except ImportError:
        return False
    return int(triton.__version__.split(".")[0]) >= _VERSION


@functools.lru_cache(maxsize=None)
def _kernel() -> Any:
    """Makes a kernel of ``_iterate``, which is compiled once for each size of block.

    Of the other arguments only the innermost stride, if it is 1, leads to a further compilation.
    """
    global tl  # Triton looks the name up among the globals
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
    """Solves one problem, in Triton's language.

    Logarithms are to base 2, as the hardware computes them; ``factor`` is ``-log2(e) / epsilon``.

    Columns are folded to (FOLDS, WIDTH), and the cost to (FOLDS, ROWS, WIDTH). Triton distributes
    the threads of a warp over the innermost dimensions first: WIDTH of them lie along a row, the
    other four along a column. Sums over rows and over columns then take few exchanges between
    threads.

    No value becomes NaN: log weights are -inf in the padding, but log K is 0 and scalings are
    finite there, so that a maximum is finite wherever both sides have a point. Other problems run
    no iteration.
    """
    problem = tl.program_id(0).to(tl.int64)  # B S T may exceed 2^31
    i = tl.arange(0, ROWS)
    j = tl.arange(0, FOLDS)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    a = tl.load(log_a + problem * rows + i, mask=i < rows, other=-float("inf"))
    b = tl.load(log_b + problem * columns + j, mask=j < columns, other=-float("inf"))
    row_valid = a > -float("inf")
    column_valid = b > -float("inf")
    a *= 1.4426950408889634  # log2(e)
    b *= 1.4426950408889634
    weights = tl.math.exp2(a)

    # The cost is read in two dimensions, whose last is contiguous for every version of Triton.
    fold_row = tl.arange(0, FOLDS * ROWS)
    row = (fold_row % ROWS)[:, None]
    column = (fold_row // ROWS * WIDTH)[:, None] + tl.arange(0, WIDTH)[None, :]
    offsets = row.to(tl.int64) * row_stride + column.to(tl.int64) * column_stride
    inside = (row < rows) & (column < columns)
    log_kernel = tl.load(cost + problem * problem_stride + offsets, mask=inside, other=0.0) * factor
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
