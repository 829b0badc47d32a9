"""The Transformer encoder: XLM-R's layout and parameter names, in plain torch.

It differs from fairseq's own encoder in what alignment objectives need: each row has a mask of its
own, any layer can return its states and its cross attention, only what is read is computed, and the
host never waits for the device.

Shapes: B rows, T tokens, D dimensions, H heads, V vocabulary. The first B' rows of a batch have up
to Q predicted tokens each; the last R are alignment rows, whose first sentence lies within their
first P tokens, with a cross block of L queries and L keys.
"""

from __future__ import annotations

from typing import Any, TypedDict

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from fairseq_amber.models.attention import CrossBlock, SelfAttention, take_tokens
from fairseq_amber.models.attention_masks import padding_mask, prefix_mask
from fairseq_amber.models.layer_number import layer_number


class EncoderOutput(TypedDict):
    """The output of the encoder; None for what was not asked for.

    It is a dict, in which the hooks that torch and fairseq lay on a module look for tensors.

    Entries:
        states: (B, T, D) states of the last layer that was computed; None if it was computed in
            part.
        predicted_states: (B', Q, D) states of the predicted tokens in the last layer.
        sentence_states: (R, P, D) states of first sentences; the values after the end of a sentence
            have no meaning.
        cross_attention: (R, H, L, L) probabilities before dropout, in fp32.
        layers: (B, T, D) embeddings, then the states of each layer.
    """

    states: torch.Tensor | None
    predicted_states: torch.Tensor | None
    sentence_states: torch.Tensor | None
    cross_attention: torch.Tensor | None
    layers: list[torch.Tensor] | None


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each followed by a residual and a layer norm."""

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
        """Lets (B, Q, D) states attend to a (B, T, D) context, by default to each other: (B, Q,
        D)."""
        attended = self.self_attn(x, mask, context)
        x = self.self_attn_layer_norm(x + F.dropout(attended, self.dropout, self.training))
        hidden = F.dropout(F.gelu(self.fc1(x)), self.activation_dropout, self.training)
        x = x + F.dropout(self.fc2(hidden), self.dropout, self.training)
        return self.final_layer_norm(x)

    def cross_attention(
        self, x: torch.Tensor, mask: torch.Tensor, cross: CrossBlock
    ) -> torch.Tensor:
        """Computes the attention of chosen queries; see ``SelfAttention.cross_attention``."""
        return self.self_attn.cross_attention(x, mask, cross)


class SentenceEncoder(nn.Module):
    """The embeddings and the layers.

    Positions are numbered from 0, although the first ``padding_idx + 1`` rows of the position
    embedding are unused, as in XLM-R. Layers are numbered from 1.
    """

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
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation_dropout: float = 0.0,
        layer_norm_eps: float = 1e-5,
        checkpoint_activations: bool = False,
    ):
        super().__init__()
        self.padding_idx = padding_idx
        self.max_positions = max_positions
        self.dropout = dropout
        self.checkpoint_activations = checkpoint_activations
        self.embed_tokens = nn.Embedding(vocabulary_size, dim, padding_idx)
        self.embed_positions = nn.Embedding(max_positions + padding_idx + 1, dim, padding_idx)
        self.embed_segments = nn.Embedding(token_types, dim) if token_types else None
        self.layernorm_embedding = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.layers = nn.ModuleList(
            EncoderLayer(
                dim, heads, ffn_dim, dropout, attention_dropout, activation_dropout, layer_norm_eps
            )
            for _ in range(layers)
        )
        self.apply(initialize)

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
        sentence_width: int | None = None,
        attention_layer: int | None = -1,
        sentence_layer: int | None = -1,
        last_layer: int = -1,
        return_all_layers: bool = False,
    ) -> EncoderOutput:
        """Encodes a batch.

        With ``predicted``, and unless all states are asked for, only what is read is computed. In
        the last layer, these are the states of the predicted tokens. Alignment rows leave the
        computation after the highest layer that is read of them; in this layer, only the first
        sentence or the cross attention is computed.

        Args:
            tokens: (B, T) int64, padded on the right: B' rows with predicted tokens, then R
                alignment rows.
            positions: (B, T) int64 from 0; by default each row counts from its first token.
            segments: (B, T) int64 token types, by default 0; a model without token types ignores
                them.
            prefix_lengths: (B,) int64 lengths of the prefixes in ``attention_masks.prefix_mask``,
                the mask of the rows. By default every token attends to every other token.
            include_diagonal: the argument of ``prefix_mask`` of the same name.
            predicted: (B', Q) int64 positions of the predicted tokens. The prefix of these rows has
                to be the whole row.
            cross: the block of attention to return, for the last R rows; it requires
                ``prefix_lengths``.
            sentence_width: the number P, at least the longest prefix of the last R rows; None for
                no ``sentence_states``.
            attention_layer: the layer whose cross attention is returned; -1 for the last layer,
                None for none.
            sentence_layer: the layer whose sentence states are returned; -1 for the last layer,
                None for none.
            last_layer: the layer to stop at; -1 for the last layer.
            return_all_layers: also return the embeddings and the states of every layer.

        Raises:
            UserError: the model has no such layer.
            ValueError: arguments contradict each other.
        """
        if return_all_layers:
            predicted = None
        top = self._number("last_layer", last_layer if predicted is None else -1)
        attention_layer = self._number("attention_layer", attention_layer)
        sentence_layer = self._number("sentence_layer", sentence_layer)
        if cross is None:
            attention_layer = sentence_layer = 0
        elif prefix_lengths is None:
            raise ValueError("cross requires prefix_lengths: alignment rows have a first sentence")
        if not sentence_width:
            sentence_layer = 0
        if max(attention_layer, sentence_layer) > top:
            raise ValueError(f"attention_layer {attention_layer} is above {top}, the last to run")
        # The highest layer that is read of alignment rows; above it they are left out.
        highest = top + 1 if predicted is None else max(attention_layer, sentence_layer)
        aligned = slice(tokens.size(0) - (0 if cross is None else cross.queries.size(0)), None)
        others = slice(0 if predicted is None else predicted.size(0))

        padding = mask = padding_mask(tokens, self.padding_idx)
        if prefix_lengths is not None:
            mask = prefix_mask(tokens, self.padding_idx, prefix_lengths, include_diagonal)
        x = self._embed(tokens, positions, segments)
        layers = [x]
        chosen = sentences = attention = None
        for number, layer in enumerate(self.layers[:top], start=1):
            if cross is not None and number == attention_layer:
                attention = self._run(layer.cross_attention, x[aligned], mask[aligned], cross)
            if number == sentence_layer == highest:
                # A first sentence attends only to itself, so the rest of its row is not needed.
                inside = mask[aligned, :, :sentence_width, :sentence_width]
                sentences = self._run(layer, x[aligned, :sentence_width].contiguous(), inside)
            if number >= highest:
                x, mask = x[others], padding[others]
            if predicted is not None and number == top:
                chosen = self._run(layer, take_tokens(x, predicted), mask, x)
                break
            x = self._run(layer, x, mask)
            if return_all_layers:
                layers.append(x)
            if number == sentence_layer < highest:
                sentences = x[aligned, :sentence_width]
        return EncoderOutput(
            states=x if chosen is None else None,
            predicted_states=chosen,
            sentence_states=sentences,
            cross_attention=attention,
            layers=layers if return_all_layers else None,
        )

    def _run(self, function: Any, *args: Any) -> torch.Tensor:
        """Calls a function, perhaps under activation checkpointing, and returns its result."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(function, *args, use_reentrant=False)
        return function(*args)

    def _number(self, argument: str, layer: int | None) -> int:
        """Returns the number of a layer, counted from 1, or 0 for None."""
        return 0 if layer is None else layer_number(argument, layer, len(self.layers))

    def _embed(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor | None,
        segments: torch.Tensor | None,
    ) -> torch.Tensor:
        """Embeds tokens, positions and token types: (B, T) -> (B, T, D)."""
        real = tokens.ne(self.padding_idx)
        if positions is None:
            positions = real.cumsum(dim=1) - 1
        rows = (positions + self.padding_idx + 1).masked_fill(~real, self.padding_idx)
        x = self.embed_tokens(tokens) + self.embed_positions(rows)
        if self.embed_segments is not None:
            types = self.embed_segments
            x = x + (types.weight[0] if segments is None else types(segments))
        return F.dropout(self.layernorm_embedding(x), self.dropout, self.training)


class LanguageModelHead(nn.Module):
    """Scores the vocabulary: dense, GELU, layer norm, then the tied embedding with a bias."""

    def __init__(self, dim: int, embedding: torch.Tensor, layer_norm_eps: float = 1e-5):
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim, eps=layer_norm_eps)
        self.weight = embedding  # the parameter of the token embedding: tied
        self.bias = nn.Parameter(torch.zeros(embedding.size(0)))
        initialize(self.dense)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Scores states: (..., D) -> (..., V)."""
        return F.linear(self.layer_norm(F.gelu(self.dense(states))), self.weight, self.bias)


def initialize(module: nn.Module) -> None:
    """Initialises a module as BERT does: weights from N(0, 0.02), biases and padding row zero."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
