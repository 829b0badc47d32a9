"""Probabilities in both directions against the definition of entmax and awesome-align's formula."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from fairseq_amber.inference.word_alignment.probability_links import (
    entmax,
    entmax_maps,
    harmonic_mean,
    probable_links,
)


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
    to_target, to_source = entmax_maps(source, target, *masks, **settings)
    assert to_target.dtype == torch.float32 and to_source.shape == (3, 5, 4)
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
        assert to_source[row].T.numpy() == pytest.approx(expected[1], abs=1e-5)


def test_links_exceed_the_threshold_both_ways_and_have_the_harmonic_mean():
    p = torch.tensor([[[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]]])
    q = torch.tensor([[[0.2, 0.8], [1.0, 0.0], [0.0, 0.0]]])
    assert probable_links(p, q, 0.0)[0].tolist() == [[True, True, False], [True, False, False]]
    assert probable_links(p, q, 0.2)[0].tolist() == [[False, True, False], [True, False, False]]
    means = harmonic_mean(p, q)[0]
    assert means.flatten().tolist() == pytest.approx([2 / 7, 2 / 3, 0, 1.44 / 1.7, 0, 0])
