"""Attention masks: bool tensors where True means that a query may attend to a key.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

import torch


def padding_mask(tokens: torch.Tensor, pad: int) -> torch.Tensor:
    """Lets every query attend to every token that is not padding: (B, T) -> (B, 1, 1, T)."""
    return tokens.ne(pad)[:, None, None, :]


def prefix_mask(
    tokens: torch.Tensor,
    pad: int,
    prefix_lengths: torch.Tensor,
    include_diagonal: bool = False,
) -> torch.Tensor:
    """Builds the mask of AMBER's word alignment passes (arXiv 2010.07972, Figure 1a), row by row.

    The first ``p`` tokens of a row attend to each other and to nothing else. A token ``t >= p``
    attends to these ``p`` tokens and to the tokens ``p <= k < t`` strictly before it, but not to
    itself (its own state still reaches it through the residual connection). A row whose prefix is
    the whole row has ordinary bidirectional attention, so that one batch can hold both kinds.

    Args:
        tokens: (B, T) token ids, padded on the right.
        pad: the id of the padding token.
        prefix_lengths: (B,) int64 length ``p`` of each row's prefix, at least 1.
        include_diagonal: let a token ``t >= p`` also attend to itself.

    Returns:
        (B, 1, T, T) bool, query by key. Every query has at least one key.
    """
    index = torch.arange(tokens.size(1), device=tokens.device)
    in_prefix = index < prefix_lengths.unsqueeze(1)  # (B, T)
    before = index.unsqueeze(0) < index.unsqueeze(1) + include_diagonal  # (T, T)
    visible = in_prefix.unsqueeze(1) | (before & ~in_prefix.unsqueeze(2))  # (B, T, T)
    return (visible & tokens.ne(pad).unsqueeze(1)).unsqueeze(1)
