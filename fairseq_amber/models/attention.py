"""Multi-head self-attention, and the block of its probabilities that word alignment reads.

Shapes: B rows, T tokens, Q queries, D dimensions, H heads; R rows with a cross block of Q queries
and K keys. Masks are bool; True means that a query may attend to a key.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

_HAS_FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")  # torch >= 2.0


class CrossBlock(NamedTuple):
    """The block of a layer's attention to return, for the last R rows of a batch.

    Padding may point to any position.

    Attributes:
        queries: (R, Q) int64 positions of the queries in their row.
        keys: (R, K) int64 positions of the keys in their row.
    """

    queries: torch.Tensor
    keys: torch.Tensor


class SelfAttention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2)."""

    def __init__(self, dim: int, heads: int, dropout: float):
        super().__init__()
        if dim % heads:
            raise ValueError(f"the model's dimension {dim} is not a multiple of its {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.q_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor, context: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Lets queries attend to a context.

        Args:
            x: (B, Q, D) queries.
            mask: (B, 1, 1 or Q, T) bool, True where a query may attend to a key.
            context: (B, T, D) keys and values; by default the queries themselves.

        Returns:
            (B, Q, D).
        """
        context = x if context is None else context
        q = self._split(self.q_proj(x))
        k, v = self._split(self.k_proj(context)), self._split(self.v_proj(context))
        dropout = self.dropout if self.training else 0.0
        if _HAS_FUSED_ATTENTION:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        else:
            weights = attention_probabilities(q, k, mask).to(v.dtype)
            out = F.dropout(weights, dropout) @ v
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def cross_attention(
        self, x: torch.Tensor, mask: torch.Tensor, cross: CrossBlock
    ) -> torch.Tensor:
        """Computes the attention of the chosen queries over the chosen keys, before dropout.

        The softmax runs over all keys of a row, but only for the chosen queries.

        Args:
            x: (R, T, D) input of the layer.
            mask: (R, 1, T, T) bool, True where a query may attend to a key.
            cross: the chosen queries and keys.

        Returns:
            (R, H, Q, K) probabilities in fp32.
        """
        q = self._split(self.q_proj(take_tokens(x, cross.queries)))
        k = self._split(self.k_proj(x))
        rows = cross.queries[:, None, :, None].expand(-1, -1, -1, x.size(1))
        probabilities = attention_probabilities(q, k, mask.gather(2, rows))  # (R, H, Q, T)
        keys = cross.keys[:, None, None, :].expand(-1, *probabilities.shape[1:3], -1)
        return probabilities.gather(3, keys)

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """Splits states into heads: (B, T, D) -> (B, H, T, D/H)."""
        return x.view(*x.shape[:2], self.heads, x.size(2) // self.heads).transpose(1, 2)


def take_tokens(x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Picks the states at Q positions of each row: (B, T, D), (B, Q) -> (B, Q, D)."""
    return x.gather(1, positions.unsqueeze(2).expand(-1, -1, x.size(2)))


def attention_probabilities(q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Computes ``softmax(q k^T / sqrt(d))`` over the keys that the mask allows, in fp32 or fp64."""
    logits = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits.masked_fill(~mask, float("-inf")).softmax(dim=-1)
