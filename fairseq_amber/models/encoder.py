"""The Transformer encoder: XLM-R's layout and parameter names, in plain torch.

It differs from fairseq's own encoder in what alignment objectives need: a mask per example, every
layer's states, the top layer's cross attention, and no synchronisation with the host.

Shapes: B rows, T tokens, D dimensions, H heads, V vocabulary; R <= B rows with a cross block of
Q queries and K keys.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from fairseq_amber.errors import UserError
from fairseq_amber.models.attention import CrossBlock, SelfAttention, take_tokens
from fairseq_amber.models.attention_masks import padding_mask, prefix_mask


class EncoderOutput(NamedTuple):
    """What was asked for; None for what was not.

    states: (B, T, D) of the last layer computed. predicted_states: (B', Q, D) of the last layer at
    the chosen positions of the first B' rows. sentence_states: (R, P, D). cross_attention:
    (R, H, Q, K) fp32 probabilities before dropout. layers: the embeddings and each layer's states.
    """

    states: torch.Tensor | None
    predicted_states: torch.Tensor | None
    sentence_states: torch.Tensor | None
    cross_attention: torch.Tensor | None
    layers: list[torch.Tensor] | None


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
        layer_norm_eps: float,
    ):
        super().__init__()
        self.self_attn = SelfAttention(dim, heads, attention_dropout)
        self.self_attn_layer_norm = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.dropout = dropout
        self.activation_dropout = activation_dropout

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor, context: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, Q, D), attending to the (B, T, D) context, by default to themselves -> (B, Q, D)."""
        attended = self.self_attn(x, mask, context)
        x = self.self_attn_layer_norm(x + F.dropout(attended, self.dropout, self.training))
        hidden = F.dropout(F.gelu(self.fc1(x)), self.activation_dropout, self.training)
        x = x + F.dropout(self.fc2(hidden), self.dropout, self.training)
        return self.final_layer_norm(x)

    def align(self, x: torch.Tensor, mask: torch.Tensor, cross: CrossBlock) -> torch.Tensor:
        """See :meth:`SelfAttention.cross_attention`."""
        return self.self_attn.cross_attention(x, mask, cross)


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
        token_types: int = 0,
        layer_norm_eps: float = 1e-5,
        checkpoint_activations: bool = False,
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
        self.embed_segments = nn.Embedding(token_types, dim) if token_types else None
        self.checkpoint_activations = checkpoint_activations
        self.layernorm_embedding = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.layers = nn.ModuleList(
            EncoderLayer(
                dim, heads, ffn_dim, dropout, attention_dropout, activation_dropout, layer_norm_eps
            )
            for _ in range(layers)
        )
        self.apply(_initialize)

    def forward(
        self,
        tokens: torch.Tensor,
        *,
        positions: torch.Tensor | None = None,
        segments: torch.Tensor | None = None,
        prefix_lengths: torch.Tensor | None = None,
        include_diagonal: bool = False,
        predicted: torch.Tensor | None = None,
        cross: CrossBlock | None = None,
        sentence_width: int = 0,
        attention_layer: int | None = -1,
        sentence_layer: int | None = -1,
        return_all_layers: bool = False,
    ) -> EncoderOutput:
        """Encodes a batch.

        With ``predicted``, the last layer is computed only where it is read: at those positions,
        and at the first sentence of alignment rows. Layers count from 1; -1 is the last.

        Args:
            tokens: (B, T) int64, padded on the right: B' rows with predicted tokens, then R
                alignment rows.
            positions: (B, T) int64 from 0; by default each row counts from its first token.
            segments: (B, T) int64 token types, by default 0; unused by a model without them.
            prefix_lengths: (B,) int64; rows under the mask of
                :func:`~fairseq_amber.models.attention_masks.prefix_mask`. By default every token
                attends to every other.
            include_diagonal: of that mask.
            predicted: (B', Q) int64 positions.
            cross: which block of attention to return, of the last R rows.
            sentence_width: P, the longest first sentence of the last R rows.
            attention_layer: whose cross attention is returned; None for none.
            sentence_layer: whose sentence states are returned; None for none.
            return_all_layers: also return the embeddings and every layer's states.
        """
        real = tokens.ne(self.padding_idx)
        mask = padding_mask(tokens, self.padding_idx)
        whole_mask = mask
        if prefix_lengths is not None:
            whole_mask = prefix_mask(tokens, self.padding_idx, prefix_lengths, include_diagonal)
        depth = len(self.layers)
        attention_layer = self._number(attention_layer, "--wa-layer")
        sentence_layer = self._number(sentence_layer, "--sa-layer")
        first = tokens.size(0) - (0 if cross is None else cross.queries.size(0))

        x = self._embed(tokens, real, positions, segments)
        layers = [x]
        states, predicted_states, sentences, attention = None, None, None, None
        for number, layer in enumerate(self.layers, start=1):
            if cross is not None and number == attention_layer:
                attention = self._run(layer.align, x[first:], whole_mask[first:], cross)
            if number == depth and predicted is not None and not return_all_layers:
                states = None
                own, rows = take_tokens(x[: len(predicted)], predicted), slice(len(predicted))
                predicted_states = self._run(layer, own, mask[rows], x[rows])
                if prefix_lengths is not None and cross is not None and sentence_layer == depth:
                    inside = torch.arange(sentence_width, device=tokens.device)
                    inside = inside < prefix_lengths[first:, None]
                    sentence = x[first:, :sentence_width]
                    sentences = self._run(layer, sentence, inside[:, None, None, :])
                break
            x = states = self._run(layer, x, whole_mask)
            if return_all_layers:
                layers.append(x)
            if cross is not None and number == sentence_layer:
                sentences = x[first:, :sentence_width]
            if predicted is None and not return_all_layers and number == sentence_layer:
                break
        return EncoderOutput(
            states, predicted_states, sentences, attention, layers if return_all_layers else None
        )

    def _run(self, part, *inputs):
        """Part of a layer on its inputs, whose inner activations may be computed twice."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(part, *inputs, use_reentrant=False)
        return part(*inputs)

    def _number(self, layer: int | None, flag: str) -> int | None:
        depth = len(self.layers)
        if layer is None or 1 <= layer <= depth:
            return layer
        if layer == -1:
            return depth
        raise UserError(f"{flag} {layer}: the model's layers are 1 to {depth}")

    def _embed(self, tokens, real, positions, segments):
        if positions is None:
            positions = real.cumsum(dim=1) - 1
        rows = (positions + self.padding_idx + 1).masked_fill(~real, self.padding_idx)
        x = self.embed_tokens(tokens) + self.embed_positions(rows)
        if self.embed_segments is not None:
            x = x + self.embed_segments(torch.zeros_like(tokens) if segments is None else segments)
        return F.dropout(self.layernorm_embedding(x), self.dropout, self.training)


class LanguageModelHead(nn.Module):
    """Scores over the vocabulary: dense, GELU, layer norm, and the tied embedding with a bias."""

    def __init__(self, dim: int, embedding: torch.Tensor, layer_norm_eps: float = 1e-5):
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim, eps=layer_norm_eps)
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
