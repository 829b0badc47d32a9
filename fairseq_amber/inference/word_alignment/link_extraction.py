"""From attention maps or states of a batch of sentence pairs to word links.

All functions are batched and differ from a loop over single pairs in speed alone. Masks are True
where a token counts; special tokens and padding do not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fairseq_amber.objectives.optimal_transport import cosine_cost, sinkhorn, uniform_weights

NO_WORD = -1


def mutual_attention(source_to_target: Tensor, target_to_source: Tensor) -> Tensor:
    """Scores how much two words attend to each other, by the product that AMBER trains.

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
    """Cosine of every source state with every target state: (B, S, D), (B, T, D) -> (B, S, T)."""
    x = torch.nn.functional.normalize(source.float(), dim=-1)
    y = torch.nn.functional.normalize(target.float(), dim=-1)
    return x @ y.transpose(1, 2)


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
    """How much mass goes from each source state to each target state.

    The entropic transport plan (Cuturi, 2013) between the two sentences at a cost of 1 - cosine,
    where each state holds an equal share of its sentence's mass of 1.

    Args:
        source: (B, S, D) states.
        target: (B, T, D).
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool.
        epsilon: temperature, in units of the cost, which lies in [0, 2].
        iterations: of Sinkhorn's algorithm, all of which are done.
        reach: weight of the KL divergences that keep each state's mass equal, so that a state may
            have no partner (unbalanced transport; Chizat et al., 2018); None: all mass goes.

    Returns:
        (B, S, T) float32, 0 in the padding.
    """
    return sinkhorn(
        cosine_cost(source, target),
        uniform_weights(source_mask),
        uniform_weights(target_mask),
        epsilon=epsilon,
        iterations=iterations,
        reach=reach,
        max_cost=2.0,
    ).plan


def mutual_argmax(scores: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
    """Pairs of tokens that are each other's best match (Jalili Sabet et al., 2020: Argmax).

    Of equal scores the lowest index is the best.

    Args:
        scores: (B, S, T) floats.
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool.

    Returns:
        (B, S, T) bool, at most one True in a row and in a column.
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
    """Best matches, sought again among what is left over (Jalili Sabet et al., 2020: Itermax).

        A = 0; `iterations` times: A += mutual_argmax(S * M),
        M[i, j] = 1 where neither i nor j has a link in A, alpha where one has, 0 where both have

    Args:
        similarity: (B, S, T) floats in [0, 1].
        source_mask: (B, S) bool, True = counts.
        target_mask: (B, T) bool.
        alpha: in [0, 1]; a link to a token that has one already must be better by this factor.
        iterations: 1 is `mutual_argmax`.

    Returns:
        (B, S, T) bool.
    """
    aligned = mutual_argmax(similarity, source_mask, target_mask)
    for _ in range(iterations - 1):
        linked = aligned.any(2, keepdim=True), aligned.any(1, keepdim=True)
        scores = similarity.masked_fill(linked[0] & linked[1], 0)
        scores = torch.where(linked[0] ^ linked[1], alpha * scores, scores)
        aligned = aligned | (mutual_argmax(scores, source_mask, target_mask) & (scores > 0))
    return aligned


def word_links(
    aligned: Tensor, source_words: Tensor, target_words: Tensor
) -> list[list[tuple[int, int]]]:
    """Word links from token links: two words are linked if any of their tokens are.

    Args:
        aligned: (B, S, T) bool.
        source_words: (B, S) int64, the word that a token belongs to; `NO_WORD` for special tokens
            and padding, whose links are dropped.
        target_words: (B, T) likewise.

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
