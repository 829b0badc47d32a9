import math

import pytest
import torch

import slow_twins
from fairseq_amber.objectives.sentence_alignment import POOLINGS, contrastive_loss, mean_pool


@pytest.mark.parametrize("temperature, normalize", [(1.0, False), (0.05, True), (2.0, False)])
def test_equals_the_slow_twin_in_value_and_gradient(temperature, normalize):
    generator = torch.Generator().manual_seed(2)
    anchors = torch.randn(4, 8, generator=generator, requires_grad=True)
    candidates = torch.randn(7, 8, generator=generator, requires_grad=True)
    positives = torch.tensor([6, 0, 3, 3])
    ignore = torch.rand(4, 7, generator=generator) < 0.3
    ignore[0, 6] = True  # an anchor's own candidate counts all the same
    weights = torch.tensor([1.0, 2.0, -1.0, 0.5])

    grads = []
    for loss in (
        contrastive_loss(
            anchors,
            candidates,
            positives,
            temperature=temperature,
            normalize=normalize,
            ignore=ignore,
        ),
        slow_twins.contrastive(anchors, candidates, positives, temperature, normalize, ignore),
    ):
        grads.append((loss, *torch.autograd.grad((loss * weights).sum(), (anchors, candidates))))
    for ours, theirs in zip(*grads):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_equal_candidates_are_a_uniform_choice():
    loss = contrastive_loss(torch.randn(3, 4), torch.ones(5, 4), torch.tensor([0, 1, 2]))
    assert loss.tolist() == pytest.approx([math.log(5)] * 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_half_precision_vectors_do_not_overflow(dtype):
    vectors = torch.full((2, 768), 20.0).to(dtype)  # dot products of 307,200
    loss = contrastive_loss(vectors, vectors, torch.tensor([0, 1]))
    assert loss.tolist() == pytest.approx([math.log(2)] * 2)


def test_mean_pool_counts_only_the_mask():
    states = torch.arange(12.0).view(1, 4, 3).clone()
    states[0, 3] = float("nan")
    mask = torch.tensor([[True, False, True, False]])
    assert mean_pool(states, mask).tolist() == [[3.0, 4.0, 5.0]]
    assert mean_pool(states, mask & False).tolist() == [[0.0, 0.0, 0.0]]


def test_a_sentence_vector_is_the_mean_of_its_states_or_the_state_of_its_first_token():
    states = torch.arange(12.0).view(1, 4, 3)
    mask = torch.tensor([[False, True, True, False]])
    vectors = {name: pool(states.bfloat16(), mask) for name, pool in POOLINGS.items()}
    assert vectors["mean"].tolist() == [[4.5, 5.5, 6.5]]
    assert vectors["cls"].tolist() == [[0.0, 1.0, 2.0]]
    assert {vector.dtype for vector in vectors.values()} == {torch.float32}
