"""Probabilities in both directions, and entmax against its definition."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from fairseq_amber.inference.word_alignment.probability_links import (
    both_ways,
    entmax,
    link_probability,
)
from fairseq_amber.objectives.state_alignment import state_products


def root_of_entmax(z):
    """1.5-entmax by the equation of tau, which has one root."""
    z = np.asarray(z, dtype=np.float64) / 2
    tau = brentq(lambda t: np.square(np.maximum(z - t, 0)).sum() - 1, z.max() - 1, z.max())
    return np.square(np.maximum(z - tau, 0))


@pytest.mark.parametrize("size", [1, 2, 7, 500])
@pytest.mark.parametrize("scale", [0.01, 1, 30, 1e4])
def test_entmax_is_the_root_of_its_equation(size, scale):
    generator = torch.Generator().manual_seed(size)
    logits = torch.randn(3, size, generator=generator) * scale
    logits[2] = logits[2].div(scale).round() * scale  # ties
    for dim, values in ((1, logits), (0, logits.T), (-2, logits.T)):
        found = entmax(values, dim)
        found = found if dim == 1 else found.T
        expected = np.stack([root_of_entmax(row) for row in logits])
        assert found.numpy() == pytest.approx(expected, abs=2e-6)
        assert (found > 0).sum() == (expected > 1e-12).sum() or size == 500


def test_entmax_leaves_out_what_is_far_and_stays_nan():
    assert entmax(torch.tensor([3.0, 0.9, -9.0]), 0).tolist() == [1, 0, 0]
    smallest = torch.finfo(torch.float32).min
    padded = entmax(torch.tensor([[0.3, 0.1, smallest], [smallest] * 3]), 1)
    assert padded[0, 2] == 0 and padded[0].sum() == pytest.approx(1)
    assert padded.isfinite().all()
    assert entmax(torch.tensor([1.0, float("nan")]), 0).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("normalize", [True, False])
def test_maps_are_those_of_each_pair_alone(dtype, normalize):
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(3, n, 8, generator=generator).to(dtype) for n in (4, 5))
    lengths = [(4, 2), (1, 5), (3, 0)]
    for row, (s, t) in enumerate(lengths):  # the padding may hold anything
        source[row, s:], target[row, t:] = float("nan"), float("inf")
    masks = [
        torch.arange(size) < torch.tensor(column)[:, None]
        for size, column in zip((4, 5), zip(*lengths))
    ]
    settings = {"temperature": 0.5, "normalize": normalize}
    products = state_products(source, target, *masks, **settings)
    to_target, to_source = both_ways(entmax, products, *masks)
    assert to_target.dtype == to_source.dtype == torch.float32
    for row, (s, t) in enumerate(lengths):
        x, y = source[row, :s].double().numpy(), target[row, :t].double().numpy()
        if normalize and s and t:
            x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
        logits = x @ y.T / 0.5
        expected = np.zeros((2, 4, 5))
        for i in range(s if t else 0):
            expected[0, i, :t] = root_of_entmax(logits[i])
        for j in range(t):
            expected[1, :s, j] = root_of_entmax(logits[:, j])
        assert to_target[row].numpy() == pytest.approx(expected[0], abs=1e-5)
        assert to_source[row].numpy() == pytest.approx(expected[1], abs=1e-5)


def test_a_probability_is_softened_by_the_length_of_the_other_side():
    smallest = torch.finfo(torch.float32).min
    products = torch.tensor([[[2.0, 0.0, smallest], [0.5, -1.0, smallest]]])
    masks = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, True, False]])
    found = link_probability(products, *masks)
    z = products[0, :, :2].double()
    p, q = (z / 2**0.5).softmax(1), (z / 2**0.5).softmax(0)
    torch.testing.assert_close(found[0, :, :2].double(), 2 / (1 / p + 1 / q))
    assert found[0, :, 2].eq(0).all()
