import numpy as np
import pytest
import torch

from fairseq_amber.inference.word_alignment.link_extraction import (
    NO_WORD,
    cosine_similarity,
    iterated_argmax,
    mutual_argmax,
    mutual_attention,
    transport_plan,
    word_links,
)
from fairseq_amber.objectives.word_alignment import attention_symmetry_loss

SOURCE_LENGTHS, TARGET_LENGTHS = [4, 1, 3, 0], [2, 5, 1, 2]


def masks():
    index = torch.arange(5)
    return [
        index[: max(lengths)] < torch.tensor(lengths)[:, None]
        for lengths in (SOURCE_LENGTHS, TARGET_LENGTHS)
    ]


def slow_mutual_argmax(scores, source_length, target_length):
    links = set()
    for i in range(source_length):
        for j in range(target_length):
            row = [float(scores[i, k]) for k in range(target_length)]
            column = [float(scores[k, j]) for k in range(source_length)]
            if row.index(max(row)) == j and column.index(max(column)) == i:
                links.add((i, j))
    return links


@pytest.mark.parametrize("seed", range(5))
def test_mutual_argmax_agrees_with_a_loop_over_pairs(seed):
    torch.manual_seed(seed)
    scores = torch.randint(-3, 3, (4, 4, 5)).float()  # with ties
    scores[0, :, 2:] = 9.0  # padding must not win
    aligned = mutual_argmax(scores, *masks())
    for b in range(4):
        expected = slow_mutual_argmax(scores[b], SOURCE_LENGTHS[b], TARGET_LENGTHS[b])
        assert set(map(tuple, aligned[b].nonzero().tolist())) == expected
    assert aligned.sum(1).max() <= 1 and aligned.sum(2).max() <= 1


def literal_itermax(S, alpha, n_max):
    """Figure 3 of Jalili Sabet et al. (2020), word for word."""
    A = np.zeros(S.shape, dtype=int)
    for _ in range(n_max):
        M = np.zeros(S.shape)
        for i in range(S.shape[0]):
            for j in range(S.shape[1]):
                i_aligned, j_aligned = A[i, :].max() > 0, A[:, j].max() > 0
                M[i, j] = 0 if i_aligned and j_aligned else alpha if i_aligned or j_aligned else 1
        product = S * M
        for i in range(S.shape[0]):
            for j in range(S.shape[1]):
                if product[i].argmax() == j and product[:, j].argmax() == i and product[i, j] > 0:
                    A[i, j] = 1
    return set(zip(*A.nonzero()))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_iterated_argmax_is_the_papers_pair_by_pair(alpha, iterations):
    generator = torch.Generator().manual_seed(0)
    found = set()
    for _ in range(30):
        similarity = torch.rand(4, 4, 5, generator=generator)
        similarity[2] = similarity[2].mul(4).round() / 4  # ties
        aligned = iterated_argmax(similarity, *masks(), alpha=alpha, iterations=iterations)
        for b, (source, target) in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS)):
            links = set(map(tuple, aligned[b].nonzero().tolist()))
            block = similarity[b, :source, :target].numpy()
            assert links == (literal_itermax(block, alpha, iterations) if block.size else set())
            found.add(len(links) > min(source, target))
    assert (True in found) == (alpha > 0 and iterations > 1)  # links to a word that has one


def test_mutual_attention_is_the_summand_of_the_training_loss():
    torch.manual_seed(0)
    source_to_target, target_to_source = torch.rand(4, 3, 4, 5), torch.rand(4, 3, 5, 4)
    scores = mutual_attention(source_to_target, target_to_source)
    for i in range(4):
        for j in range(5):
            products = [
                float(source_to_target[2, h, i, j]) * float(target_to_source[2, h, j, i])
                for h in range(3)
            ]
            assert float(scores[2, i, j]) == pytest.approx(sum(products) / 3)
    source_mask, target_mask = masks()
    loss = attention_symmetry_loss(source_to_target, target_to_source, source_mask, target_mask)
    inside = scores[2, : SOURCE_LENGTHS[2], : TARGET_LENGTHS[2]].sum()
    assert float(1 - inside / 1) == pytest.approx(float(loss[2]))


def test_one_to_one_attention_gives_its_permutation_back():
    permutation = torch.eye(4)[[2, 0, 3, 1]]
    maps = permutation[None, None], permutation.T[None, None]
    everything = torch.ones(1, 4, dtype=torch.bool)
    aligned = mutual_argmax(mutual_attention(*maps), everything, everything)
    assert aligned[0].nonzero().tolist() == [[0, 2], [1, 0], [2, 3], [3, 1]]


def test_cosine_similarity_agrees_with_torch_pair_by_pair():
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 8).half(), torch.randn(2, 4, 8).half()
    scores = cosine_similarity(x, y)
    assert scores.dtype == torch.float32
    expected = torch.cosine_similarity(x[1, 2].float(), y[1, 3].float(), dim=0)
    assert float(scores[1, 2, 3]) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.5, 0.1, 0.02])
@pytest.mark.parametrize("reach", [None, 0.3])
def test_transport_plan_is_that_of_pot_pair_by_pair(epsilon, reach):
    import ot

    torch.manual_seed(0)
    states, (source_mask, target_mask) = (torch.randn(4, 4, 6), torch.randn(4, 5, 6)), masks()
    settings = {"epsilon": epsilon, "iterations": 500, "reach": reach}
    plans = transport_plan(*states, source_mask, target_mask, **settings)
    assert plans.shape == (4, 4, 5) and plans.dtype == torch.float32
    for b, lengths in enumerate(zip(SOURCE_LENGTHS, TARGET_LENGTHS)):
        assert plans[b, lengths[0] :].eq(0).all() and plans[b, :, lengths[1] :].eq(0).all()
        if 0 in lengths:
            continue
        x, y = (side[b, :length].double() for side, length in zip(states, lengths))
        cost = 1 - torch.cosine_similarity(x[:, None], y[None], dim=2).numpy()
        weights = [torch.full((length,), 1 / length).double().numpy() for length in lengths]
        options = {"numItermax": 500, "stopThr": 0, "warn": False}
        if reach is None:
            expected = ot.sinkhorn(*weights, cost, epsilon, method="sinkhorn_log", **options)
        else:
            expected = ot.unbalanced.sinkhorn_unbalanced(
                *weights, cost, epsilon, reach, reg_type="kl", **options
            )
        plan = plans[b, : lengths[0], : lengths[1]]
        assert plan.numpy() == pytest.approx(expected, abs=1e-5)


def test_words_are_linked_if_any_of_their_tokens_are():
    aligned = torch.zeros(2, 4, 3, dtype=torch.bool)
    for b, i, j in [(0, 0, 1), (0, 1, 0), (0, 3, 2), (1, 2, 0), (1, 2, 2)]:
        aligned[b, i, j] = True
    source_words = torch.tensor([[0, 0, 1, NO_WORD], [0, 1, 5, 5]])
    target_words = torch.tensor([[0, 0, 1], [2, 2, NO_WORD]])
    assert word_links(aligned, source_words, target_words) == [[(0, 0)], [(5, 2)]]
