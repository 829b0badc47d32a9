"""Computes sentence vectors, states and attention maps from token ids, in batches.

Shapes: B sentences or pairs, T tokens, D dimensions.
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.data.batches_by_length import batches_by_length
from fairseq_amber.data.layout import (
    PAIR_SPECIALS,
    SENTENCE_SPECIALS,
    PairMarks,
    Specials,
    alignment_rows,
    attention_maps,
    pad_rows,
    sentence_row,
)
from fairseq_amber.inference.pooling import POOLINGS, pool, without_specials
from fairseq_amber.models.layer_number import layer_number


class PairStates(NamedTuple):
    """States of the subwords of B sentence pairs, each sentence encoded alone.

    The states of ``<s>`` and ``</s>`` are left out. S = T, the longest sentence of both sides.

    Attributes:
        source: (B, S, D) states of the source sentences.
        target: (B, T, D) states of the target sentences.
        source_mask: (B, S) bool, True on subwords, False on padding.
        target_mask: (B, T) bool, True on subwords, False on padding.
    """

    source: Tensor
    target: Tensor
    source_mask: Tensor
    target_mask: Tensor


class PairAttention(NamedTuple):
    """Attention probabilities of the top layer between the subwords of B sentence pairs.

    They come from the two passes of AMBER's word alignment objective. S = T, the longest sentence
    of both sides; H is the number of attention heads.

    Attributes:
        source_to_target: (B, H, S, T), from source queries to target keys.
        target_to_source: (B, H, T, S), from target queries to source keys.
        source_mask: (B, S) bool, True on subwords, False on padding.
        target_mask: (B, T) bool, True on subwords, False on padding.
    """

    source_to_target: Tensor
    target_to_source: Tensor
    source_mask: Tensor
    target_mask: Tensor


class TokenEncoder:
    """A model in evaluation mode that encodes sentences given as token ids.

    Attributes:
        dictionary: fairseq's ``Dictionary``, with ``<mask>``.
        dim: D, the size of a state and of a sentence vector.
        num_layers: L. Layer 0 is the embeddings, layers 1 to L are the transformer layers.
        max_tokens: length of the longest row that the model takes, special tokens included.
    """

    def __init__(self, model: Any, dictionary: Any, marks: PairMarks | None = None):
        """Wraps a model.

        Args:
            model: an ``AmberModel``.
            dictionary: the fairseq ``Dictionary`` that it was trained with.
            marks: how it was trained to tell the two sentences of a row apart, by default as BERT.
        """
        self._model = model
        self._marks = marks or PairMarks()
        self._device = next(model.parameters()).device
        self._specials = Specials.of(dictionary)
        self.dictionary = dictionary
        self.dim = model.encoder.sentence_encoder.embed_tokens.embedding_dim
        self.num_layers = len(model.encoder.sentence_encoder.layers)
        self.max_tokens = model.max_positions()

    @property
    def device(self) -> torch.device:
        """Device of the model, and of all vectors, states and attention maps."""
        return self._device

    def resolve_layer(self, layer: int) -> int:
        """Returns the number of a layer, 0 to L; a negative layer counts from the end: -1 is L.

        Raises:
            UserError: the model has no such layer.
        """
        return layer_number("--layer", layer, self.num_layers, embeddings=True)

    def too_long(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Finds which of N sentences are cut because their rows exceed ``max_tokens``.

        Args:
            sentences: N arrays of token ids without special tokens.

        Returns:
            (N,) bool, True where a sentence is cut.
        """
        longest = self.max_tokens - SENTENCE_SPECIALS
        return np.array([len(ids) > longest for ids in sentences], dtype=bool)

    def sentence_vectors(
        self,
        sentences: Sequence[np.ndarray],
        *,
        layer: int = -1,
        pooling: str = "mean",
        batch_tokens: int = 8192,
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Computes sentence vectors of token ids, batch by batch.

        A batch holds sentences of about equal length, and long sentences come first.

        Args:
            sentences: arrays of token ids without special tokens. A sentence that exceeds
                ``max_tokens`` is cut.
            layer: the layer whose states are pooled; see ``resolve_layer``.
            pooling: ``mean`` over all tokens with ``<s>`` and ``</s>``, ``mean-no-specials`` over
                the subwords alone, or ``cls`` for the state of ``<s>``.
            batch_tokens: upper limit of the tokens in a batch, padding included. A single longer
                sentence is a batch of its own.

        Yields:
            The indices (B,) of the batch's sentences, and their vectors (B, D), float32 on the
            model's device.
        """
        for indices, (vectors,) in self.layer_vectors(
            sentences, [layer], pooling=pooling, batch_tokens=batch_tokens
        ):
            yield indices, vectors

    def layer_vectors(
        self,
        sentences: Sequence[np.ndarray],
        layers: Sequence[int],
        *,
        pooling: str = "mean",
        batch_tokens: int = 8192,
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Computes sentence vectors of token ids at several layers, from one pass of the model.

        Args:
            sentences: as in ``sentence_vectors``.
            layers: K layers; see ``resolve_layer``.
            pooling: as in ``sentence_vectors``.
            batch_tokens: as in ``sentence_vectors``.

        Yields:
            The indices (B,) of the batch's sentences, and their vectors (K, B, D), float32 on the
            model's device.
        """
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r} is not one of {', '.join(POOLINGS)}")
        layers = [self.resolve_layer(layer) for layer in layers]
        limit = self.max_tokens - SENTENCE_SPECIALS
        lengths = [min(len(ids), limit) + SENTENCE_SPECIALS for ids in sentences]
        for indices in batches_by_length(lengths, batch_tokens):
            rows = [sentence_row(sentences[i][:limit], self._specials) for i in indices]
            states, mask = self._states(rows, layers)
            yield indices, torch.stack([pool(x, mask, pooling) for x in states])

    def pair_states(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], *, layer: int = -1
    ) -> PairStates:
        """Computes the states of one batch of pairs at a layer, each sentence encoded alone.

        Args:
            sources: B arrays of token ids without special tokens, none longer than ``max_tokens``
                with them.
            targets: B arrays of token ids, under the same conditions.
            layer: see ``resolve_layer``.
        """
        return self.layer_pair_states(sources, targets, [layer])[0]

    @torch.no_grad()
    def layer_pair_states(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], layers: Sequence[int]
    ) -> list[PairStates]:
        """Computes the states of one batch of pairs at several layers, from one pass of the model.

        Args:
            sources: as in ``pair_states``.
            targets: as in ``pair_states``.
            layers: K layers; see ``resolve_layer``.

        Returns:
            The states at each of the K layers.
        """
        rows = [sentence_row(ids, self._specials) for ids in (*sources, *targets)]
        by_layer, mask = self._states(rows, [self.resolve_layer(layer) for layer in layers])
        masks = without_specials(mask)[:, 1:-1].chunk(2)
        return [PairStates(*states[:, 1:-1].chunk(2), *masks) for states in by_layer]

    @torch.no_grad()
    def pair_attention(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> PairAttention:
        """Computes attention maps of one batch of sentence pairs, in both directions.

        The attention masks are those of AMBER's word alignment objective: in a row [x;y], x attends
        to x alone, and y to both. The positions and token types are those of the training.

        Args:
            sources: B arrays of token ids without special tokens; ``fit_pair`` says how many of
                them fit.
            targets: B arrays of token ids without special tokens.
        """
        layout = alignment_rows(sources, targets, self._specials)
        tokens = pad_rows(layout.rows, self._specials.pad)
        marks = self._marks.inputs(layout.prefix_lengths, tokens.size(1))
        _, extra = self._model(
            tokens.to(self._device),
            **{name: values.to(self._device) for name, values in marks.items()},
            prefix_lengths=layout.prefix_lengths.to(self._device),
            cross=(layout.queries.to(self._device), layout.keys.to(self._device)),
            features_only=True,
        )
        return PairAttention(
            *attention_maps(extra["cross_attention"]),
            layout.source_mask.to(self._device),
            layout.target_mask.to(self._device),
        )

    def fit_pair(self, source_length: int, target_length: int) -> tuple[int, int]:
        """Computes how many subwords of each side fit into one row; the longer side is cut first.

        Args:
            source_length: number of subwords of the source sentence.
            target_length: number of subwords of the target sentence.

        Returns:
            The numbers of subwords to keep of the source and of the target.
        """
        room = self.max_tokens - PAIR_SPECIALS
        half = room // 2
        return (
            min(source_length, max(half, room - target_length)),
            min(target_length, max(room - half, room - source_length)),
        )

    @torch.no_grad()
    def _states(
        self, rows: Sequence[np.ndarray], layers: Sequence[int]
    ) -> tuple[list[Tensor], Tensor]:
        """Returns states (B, T, D) at each layer, and the mask (B, T), True on real tokens."""
        tokens = pad_rows(rows, self._specials.pad).to(self._device)
        last = max(1, *layers)  # the layers above it are not computed
        top, extra = self._model(
            tokens,
            features_only=True,
            return_all_hiddens=any(layer != last for layer in layers),
            sentence_layer=last,
        )
        states = [top if layer == last else extra["layers"][layer] for layer in layers]
        return states, tokens.ne(self._specials.pad)
