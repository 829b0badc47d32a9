"""Slow, obvious twins of the objectives: every equation as it is written, one pair at a time.

Tests compare each fast path with its twin, on every device and in every precision.
"""

import math

import numpy as np
import torch


def masked_lm(logits, targets):
    """``-log softmax(logits[m])[targets[m]]`` of each position m."""
    return torch.stack(
        [row.exp().sum().log() - row[target] for row, target in zip(logits, targets.tolist())]
    )


def contrastive(anchors, candidates, positives, temperature, normalize, ignore):
    """``-log exp(s_b,p) / sum_n exp(s_b,n)`` of each anchor b, over its negatives and positive."""
    losses = []
    for b, anchor in enumerate(anchors):
        scores = []
        for n, candidate in enumerate(candidates):
            if ignore[b][n] and n != positives[b]:
                continue
            score = (anchor * candidate).sum()
            if normalize:
                score = score / anchor.norm() / candidate.norm()
            scores.append(score / temperature)
            if n == positives[b]:
                own = scores[-1]
        losses.append(torch.stack(scores).logsumexp(0) - own)
    return torch.stack(losses)


def attention_symmetry(source_to_target, target_to_source, x, y):
    """``1 - trace / min(x, y)`` of each pair of lengths x and y, by loops."""
    losses = []
    for b in range(len(x)):
        heads = source_to_target.size(1)
        traces = []
        for h in range(heads):
            trace = torch.zeros((), dtype=torch.float64)
            for i in range(y[b]):
                for j in range(x[b]):
                    trace = trace + target_to_source[b, h, i, j] * source_to_target[b, h, j, i]
            traces.append(trace)
        losses.append(1 - sum(traces) / heads / min(x[b], y[b]))
    return torch.stack(losses)


def _iterated(log_kernel, log_a, log_b, iterations, power, tolerance):
    """log u and log v of one problem without padding."""
    u = torch.zeros_like(log_a)
    for _ in range(iterations):
        v = -power * torch.logsumexp(log_kernel + (log_a + u)[:, None], dim=0)
        old, u = u, -power * torch.logsumexp(log_kernel + (log_b + v)[None, :], dim=1)
        if tolerance is not None and log_a.exp().dot((old - u).expm1().abs()) < tolerance:
            break
    return u, v


def sinkhorn_scalings(cost, log_a, log_b, *, epsilon, iterations, power, tolerance):
    """log u and log v of every problem alone and without padding, in fp64; 0 in the padding."""
    log_u, log_v = torch.zeros(log_a.shape).double(), torch.zeros(log_b.shape).double()
    for b in range(len(cost)):
        rows = (log_a[b] > -math.inf).nonzero()[:, 0]
        columns = (log_b[b] > -math.inf).nonzero()[:, 0]
        if len(rows) and len(columns):
            log_kernel = -cost[b, rows][:, columns].double() / epsilon
            sides = log_a[b, rows].double(), log_b[b, columns].double()
            u, v = _iterated(log_kernel, *sides, iterations, power, tolerance)
            log_u[b, rows], log_v[b, columns] = u, v
    return log_u, log_v


def sinkhorn_costs(cost, a, b, *, epsilon, iterations=50, reach=None, envelope=True):
    """``<P, C>`` of every problem, balanced or with a price ``reach`` on its marginals.

    With ``envelope`` the plan P is a constant. A problem without points costs 0.
    """
    power = 1.0 if reach is None else reach / (reach + epsilon)
    costs = []
    for problem, row_weights, column_weights in zip(cost, a, b):
        rows, columns = row_weights > 0, column_weights > 0
        inside = problem[rows][:, columns]
        if not inside.numel():
            costs.append(inside.sum())
            continue
        log_kernel = -inside / epsilon
        sides = row_weights[rows].log(), column_weights[columns].log()
        u, v = _iterated(log_kernel, *sides, iterations, power, None)
        plan = torch.exp((sides[0] + u)[:, None] + (sides[1] + v)[None, :] + log_kernel)
        costs.append(((plan.detach() if envelope else plan) * inside).sum())
    return torch.stack(costs)


def sinkhorn_divergence(x, y, a, b, p=2, blur=0.05, scaling=0.5, debias=True):
    """The loop of GeomLoss for one pair, every line as its documentation has it."""

    def cost(u, v):
        squares = (u[:, None] - v[None]).square().sum(-1)
        return squares / 2 if p == 2 else squares.clamp_min(1e-8).sqrt()

    def softmin(e, c, h):
        return -e * torch.logsumexp(h[None] - c / e, dim=1)

    both = torch.cat([x, y]).detach()
    diameter = (both.max(0).values - both.min(0).values).norm().item()
    exponents = np.arange(p * math.log(diameter), p * math.log(blur), p * math.log(scaling))
    schedule = [diameter**p, *np.exp(exponents), blur**p]
    la, lb = a.detach().log(), b.detach().log()
    xy, yx, xx, yy = (cost(u, v.detach()) for u, v in ((x, y), (y, x), (x, x), (y, y)))
    with torch.no_grad():
        e = schedule[0]
        f, g, fa, gb = (
            softmin(e, xy, lb),
            softmin(e, yx, la),
            softmin(e, xx, la),
            softmin(e, yy, lb),
        )
        for e in schedule:
            f, g = (
                (f + softmin(e, xy, lb + g / e)) / 2,
                (g + softmin(e, yx, la + f / e)) / 2,
            )
            fa = (fa + softmin(e, xx, la + fa / e)) / 2
            gb = (gb + softmin(e, yy, lb + gb / e)) / 2
    e = schedule[-1]
    f, g = softmin(e, xy, lb + g / e), softmin(e, yx, la + f / e)
    fa, gb = softmin(e, xx, la + fa / e), softmin(e, yy, lb + gb / e)
    if not debias:
        fa, gb = 0, 0
    return (a * (f - fa)).sum() + (b * (g - gb)).sum()


def word_maps(source, target, x, y, temperature=1.0, normalize=False):
    """Both softmaxes of the products of each pair of lengths x and y: two lists of (x, y)."""
    forward, backward = [], []
    for b in range(len(x)):
        products = torch.zeros(x[b], y[b], dtype=torch.float64)
        for i in range(x[b]):
            for j in range(y[b]):
                product = (source[b, i] * target[b, j]).sum()
                if normalize:
                    product = product / source[b, i].norm() / target[b, j].norm()
                products[i, j] = product / temperature
        exponentials = products.exp()
        forward.append(torch.stack([exponentials[i] / exponentials[i].sum() for i in range(x[b])]))
        columns = [exponentials[:, j] / exponentials[:, j].sum() for j in range(y[b])]
        backward.append(torch.stack(columns, dim=1))
    return forward, backward


def map_agreement(forward, backward):
    """``sum_ij A_st[i, j] A_ts[j, i] / min(|s|, |t|)`` of each pair, by loops."""
    scores = []
    for one, other in zip(forward, backward):
        pairs = [(i, j) for i in range(one.size(0)) for j in range(one.size(1))]
        scores.append(sum(one[i, j] * other[i, j] for i, j in pairs) / min(one.shape))
    return torch.stack(scores)


def self_training(forward, backward, threshold):
    """Half the probability of the common links of each pair, by the length of each side."""
    scores = []
    for one, other in zip(forward, backward):
        score = torch.zeros((), dtype=torch.float64)
        for i in range(one.size(0)):
            for j in range(one.size(1)):
                if one[i, j].item() > threshold and other[i, j].item() > threshold:
                    score = score + (one[i, j] / one.size(0) + other[i, j] / one.size(1)) / 2
        scores.append(score)
    return torch.stack(scores)
