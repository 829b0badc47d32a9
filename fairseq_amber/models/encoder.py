"""The Transformer encoder: XLM-R's layout and parameter names, in plain torch.

It differs from fairseq's own encoder in what alignment objectives need: a mask per example, every
layer's states, the top layer's cross attention, and no synchronisation with the host.

Shapes: B rows, T tokens, D dimensions, H heads, V vocabulary; R <= B rows with a cross block of
Q queries and K keys.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fairseq_amber.models.attention_masks import padding_mask, prefix_mask

_HAS_FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")  # torch >= 2.0


class CrossBlock(NamedTuple):
    """Which part of the top layer's attention to return, for the last R rows of a batch.

    queries: (R, Q) int64 positions in the row; keys: (R, K) likewise. Padding points anywhere.
    """

    queries: torch.Tensor
    keys: torch.Tensor


class EncoderOutput(NamedTuple):
    """states: (B, T, D) of the last layer. layers: the embeddings and each layer's states, when
    asked for. cross_attention: (R, H, Q, K) fp32 probabilities before dropout, when asked for."""

    states: torch.Tensor
    layers: list[torch.Tensor] | None
    cross_attention: torch.Tensor | None


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
        self, x: torch.Tensor, mask: torch.Tensor, cross: CrossBlock | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(B, T, D), (B, 1, 1 or T, T) -> (B, T, D) and, for ``cross``, (R, H, Q, K)."""
        b, t, d = x.shape
        q, k, v = (
            projection(x).view(b, t, self.heads, d // self.heads).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )  # (B, H, T, D/H)
        dropout = self.dropout if self.training else 0.0
        if _HAS_FUSED_ATTENTION:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        else:
            weights = attention_probabilities(q, k, mask).to(v.dtype)
            out = F.dropout(weights, dropout) @ v
        out = self.out_proj(out.transpose(1, 2).reshape(b, t, d))
        return out, None if cross is None else cross_attention(q, k, mask, cross)


def attention_probabilities(q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``softmax(q k^T / sqrt(d))`` over the keys that the mask allows, in fp32."""
    logits = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)
    return logits.float().masked_fill(~mask, float("-inf")).softmax(dim=-1)


def cross_attention(
    q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor, cross: CrossBlock
) -> torch.Tensor:
    """The probabilities of the chosen queries over the chosen keys, (R, H, Q, K) in fp32.

    The softmax runs over all keys of a row; only the rows of the chosen queries are computed.
    """
    r = cross.queries.size(0)
    q, k, mask = q[-r:], k[-r:], mask[-r:]
    _, h, t, d = q.shape
    queries = cross.queries[:, None, :, None]  # (R, 1, Q, 1)
    q = q.gather(2, queries.expand(-1, h, -1, d))  # (R, H, Q, D/H)
    mask = mask.expand(-1, -1, t, -1).gather(2, queries.expand(-1, -1, -1, t))  # (R, 1, Q, T)
    probabilities = attention_probabilities(q, k, mask)  # (R, H, Q, T)
    keys = cross.keys[:, None, None, :].expand(-1, h, probabilities.size(2), -1)
    return probabilities.gather(3, keys)


class EncoderLayer(nn.Module):
    """Attention, then a feed-forward network, each followed by residual and layer norm."""

    def __init__(
        self,
        dim: int,
        heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
        activation_dropout: float,
    ):
        super().__init__()
        self.self_attn = SelfAttention(dim, heads, attention_dropout)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.dropout = dropout
        self.activation_dropout = activation_dropout

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor, cross: CrossBlock | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(B, T, D) -> (B, T, D) and, for ``cross``, (R, H, Q, K)."""
        attended, attention = self.self_attn(x, mask, cross)
        x = self.self_attn_layer_norm(x + F.dropout(attended, self.dropout, self.training))
        hidden = F.dropout(F.gelu(self.fc1(x)), self.activation_dropout, self.training)
        x = x + F.dropout(self.fc2(hidden), self.dropout, self.training)
        return self.final_layer_norm(x), attention


class SentenceEncoder(nn.Module):
    """Embeddings and layers. Positions count from 0 here; the table's first ``padding_idx + 1``
    rows are unused, as in XLM-R."""

    def __init__(
        self,
        vocabulary_size: int,
        padding_idx: int,
        *,
        layers: int,
        dim: int,
        ffn_dim: int,
        heads: int,
        max_positions: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation_dropout: float = 0.0,
    ):
        super().__init__()
        self.padding_idx = padding_idx
        self.max_positions = max_positions
        self.dropout = dropout
        self.embed_tokens = nn.Embedding(vocabulary_size, dim, padding_idx)
        self.embed_positions = nn.Embedding(max_positions + padding_idx + 1, dim, padding_idx)
        self.layernorm_embedding = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads, ffn_dim, dropout, attention_dropout, activation_dropout)
            for _ in range(layers)
        )
        self.apply(_initialize)

    def forward(
        self,
        tokens: torch.Tensor,
        *,
        positions: torch.Tensor | None = None,
        prefix_lengths: torch.Tensor | None = None,
        cross: CrossBlock | None = None,
        return_all_layers: bool = False,
    ) -> EncoderOutput:
        """Encodes a batch.

        Args:
            tokens: (B, T) int64, padded on the right.
            positions: (B, T) int64 from 0; by default each row counts from its first token.
            prefix_lengths: (B,) int64; rows under the mask of
                :func:`~fairseq_amber.models.attention_masks.prefix_mask`. By default every token
                attends to every other.
            cross: which block of the top layer's attention to return.
            return_all_layers: also return the embeddings and every layer's states.
        """
        real = tokens.ne(self.padding_idx)
        if positions is None:
            positions = real.cumsum(dim=1) - 1
        rows = (positions + self.padding_idx + 1).masked_fill(~real, self.padding_idx)
        x = self.layernorm_embedding(self.embed_tokens(tokens) + self.embed_positions(rows))
        x = F.dropout(x, self.dropout, self.training)
        if prefix_lengths is None:
            mask = padding_mask(tokens, self.padding_idx)
        else:
            mask = prefix_mask(tokens, self.padding_idx, prefix_lengths)

        states = [x]
        attention = None
        for number, layer in enumerate(self.layers, start=1):
            x, attention = layer(x, mask, cross if number == len(self.layers) else None)
            if return_all_layers:
                states.append(x)
        return EncoderOutput(x, states if return_all_layers else None, attention)


class LanguageModelHead(nn.Module):
    """Scores over the vocabulary: dense, GELU, layer norm, and the tied embedding with a bias."""

    def __init__(self, dim: int, embedding: torch.Tensor):
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim)
        self.weight = embedding  # a parameter: tied
        self.bias = nn.Parameter(torch.zeros(embedding.size(0)))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., V)."""
        return F.linear(self.layer_norm(F.gelu(self.dense(states))), self.weight, self.bias)


def _initialize(module: nn.Module) -> None:
    """BERT's: weights from N(0, 0.02), biases and the padding row zero."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
