"""Extracts word links from attention maps or states of a batch of sentence pairs.

All functions are batched; their results equal those of a loop over single pairs. Masks are True on
the tokens that count: special tokens and padding do not.

Shapes: B pairs, S source tokens, T target tokens, H attention heads, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fairseq_amber.objectives.optimal_transport import cosine_cost, sinkhorn, uniform_weights

NO_WORD = -1


def mutual_attention(source_to_target: Tensor, target_to_source: Tensor) -> Tensor:
    """Scores how much two tokens attend to each other, by the product that AMBER trains.

        score[i, j] = mean_h A_xy[h, i, j] * A_yx[h, j, i]

    The sum over i and j, divided by the shorter length, is 1 - L_WA (arXiv 2010.07972). The product
    is taken head by head, before the mean.

    Args:
        source_to_target: (B, H, S, T) attention probabilities, from source queries to target keys.
        target_to_source: (B, H, T, S), from target queries to source keys.

    Returns:
        (B, S, T) float32 scores in [0, 1].
    """
    product = source_to_target.float() * target_to_source.float().transpose(2, 3)
    return product.mean(dim=1)


def cosine_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Computes the cosine of every source state with every target state.

    Args:
        source: (B, S, D) states.
        target: (B, T, D) states.

    Returns:
        (B, S, T) float32.
    """
    x = torch.nn.functional.normalize(source.float(), dim=-1)
    y = torch.nn.functional.normalize(target.float(), dim=-1)
    return x @ y.transpose(1, 2)


LARGEST_COST = 2.0  # of moving mass by ``transport_plan``: 1 - cosine


def transport_plan(
    source: Tensor,
    target: Tensor,
    source_mask: Tensor,
    target_mask: Tensor,
    *,
    epsilon: float,
    iterations: int,
    reach: float | None = None,
) -> Tensor:
    """Returns the entropic transport plan between the states of two sentences (Cuturi, 2013).

    Each sentence has a mass of 1, and all its states hold equal shares of it. Moving mass from one
    state to another costs 1 - cosine.

    Args:
        source: (B, S, D) states.
        target: (B, T, D) states.
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool, True = counts.
        epsilon: temperature, in units of the cost, which lies in [0, 2].
        iterations: number of iterations of Sinkhorn's algorithm.
        reach: weight of the KL divergences that keep the masses of all states equal. The mass of a
            state without a partner can then stay unmoved (unbalanced transport; Chizat et al.,
            2018). None moves all mass.

    Returns:
        (B, S, T) float32, the mass that moves from each source to each target state; 0 in the
        padding.
    """
    return sinkhorn(
        cosine_cost(source, target),
        uniform_weights(source_mask),
        uniform_weights(target_mask),
        epsilon=epsilon,
        iterations=iterations,
        reach=reach,
        max_cost=LARGEST_COST,
    ).plan


def mutual_argmax(scores: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
    """Links the tokens that are each other's best match (Jalili Sabet et al., 2020: Argmax).

    Of equal scores the one with the lowest index is the best.

    Args:
        scores: (B, S, T) scores of token pairs.
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool, True = counts.

    Returns:
        (B, S, T) bool, True on links: at most one in each row and in each column.
    """
    valid = source_mask[:, :, None] & target_mask[:, None, :]
    scores = scores.masked_fill(~valid, float("-inf"))
    best_target = scores.argmax(dim=2, keepdim=True)
    best_source = scores.argmax(dim=1, keepdim=True)
    forward = torch.zeros_like(valid).scatter_(2, best_target, True)
    backward = torch.zeros_like(valid).scatter_(1, best_source, True)
    return forward & backward & valid


def iterated_argmax(
    similarity: Tensor,
    source_mask: Tensor,
    target_mask: Tensor,
    *,
    alpha: float,
    iterations: int,
) -> Tensor:
    """Repeats the search for best matches among tokens without a link, and adds these links.

    This is Itermax of Jalili Sabet et al. (2020, Figure 3), with links A and similarity S:

        A = 0; ``iterations`` times: A += mutual_argmax(S * M),
        M[i, j] = 1 where neither i nor j has a link in A, alpha where one has, 0 where both have

    Args:
        similarity: (B, S, T) similarities of token pairs, in [0, 1].
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool, True = counts.
        alpha: factor in [0, 1] for the similarity of two tokens if one of them has a link.
        iterations: number of rounds; one round equals ``mutual_argmax``.

    Returns:
        (B, S, T) bool, True on links.
    """
    aligned = mutual_argmax(similarity, source_mask, target_mask)
    for _ in range(iterations - 1):
        linked = aligned.any(2, keepdim=True), aligned.any(1, keepdim=True)
        scores = similarity.masked_fill(linked[0] & linked[1], 0)
        scores = torch.where(linked[0] ^ linked[1], alpha * scores, scores)
        before = aligned
        aligned = before | (mutual_argmax(scores, source_mask, target_mask) & (scores > 0))
        if bool((aligned == before).all()):
            break  # the next rounds would find the same
    return aligned


def word_links(
    aligned: Tensor, source_words: Tensor, target_words: Tensor
) -> list[list[tuple[int, int]]]:
    """Turns token links into word links: two words are linked if any two of their tokens are.

    Args:
        aligned: (B, S, T) bool, True on token links.
        source_words: (B, S) int64, index of the word that each token belongs to; ``NO_WORD`` for
            special tokens and padding, whose links are dropped.
        target_words: (B, T) int64, the same for the target tokens.

    Returns:
        B sorted lists of distinct links (source word, target word).
    """
    pair, i, j = aligned.nonzero(as_tuple=True)
    triples = torch.stack([pair, source_words[pair, i], target_words[pair, j]], dim=1)
    triples = triples[(triples != NO_WORD).all(dim=1)]
    links: list[list[tuple[int, int]]] = [[] for _ in range(len(aligned))]
    for pair_index, source_word, target_word in torch.unique(triples, dim=0).tolist():
        links[pair_index].append((source_word, target_word))
    return links
