"""Runs a checkpoint over plain text: sentence vectors, states and attention maps, in batches."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.data.layout import (
    PAIR_SPECIALS,
    SENTENCE_SPECIALS,
    Specials,
    alignment_rows,
    attention_maps,
    pad_rows,
    sentence_row,
)
from fairseq_amber.data.sentence_batches import batches_by_length, distinct
from fairseq_amber.errors import UserError, warn
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.devices import find_device
from fairseq_amber.inference.tokenizer import Tokenizer
from fairseq_amber.objectives.sentence_alignment import mean_pool
from fairseq_amber.progress import Progress, heartbeat

POOLINGS = ("mean", "mean-no-specials", "cls")


class PairStates(NamedTuple):
    """States of B sentence pairs, each sentence encoded alone.

    source: (B, S, D), target: (B, T, D), subwords only, without `<s>`; source_mask: (B, S),
    target_mask: (B, T) bool, True on the sentence's own subwords. S = T.
    """

    source: Tensor
    target: Tensor
    source_mask: Tensor
    target_mask: Tensor


class PairAttention(NamedTuple):
    """Top-layer attention of B pairs from the two word alignment passes, subwords only.

    source_to_target: (B, H, S, T), target_to_source: (B, H, T, S) probabilities;
    source_mask: (B, S), target_mask: (B, T) bool. S = T.
    """

    source_to_target: Tensor
    target_to_source: Tensor
    source_mask: Tensor
    target_mask: Tensor


class Encoder:
    """A trained encoder with its tokenizer.

    Attributes:
        data: the folder of the dictionary and the tokenizer.
        dictionary: of fairseq, with `<mask>`.
        dim: D, the size of a state.
        num_layers: L; layer 0 is the embeddings, layer L the last.
        max_tokens: longest row the model takes, special tokens included.
        config: what identifies the model, for the JSON of a result.
    """

    def __init__(self, model: Any, dictionary: Any, data: Path, config: dict[str, Any]):
        self._model = model
        self.data = data
        self._device = next(model.parameters()).device
        self._specials = Specials.of(dictionary)
        self.dictionary = dictionary
        self.dim = model.encoder.sentence_encoder.embed_tokens.embedding_dim
        self.num_layers = len(model.encoder.sentence_encoder.layers)
        self.max_tokens = model.max_positions()
        self.config = config

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        data: str | Path | None = None,
        device: str | None = None,
        dtype: str = "float32",
        reinitialize: int | None = None,
    ) -> Encoder:
        """Loads a checkpoint of fairseq-train and the dictionary of its data folder.

        Args:
            checkpoint, data, reinitialize: see `load_model`.
            device: such as cpu or cuda:0; by default a GPU if there is one.
            dtype: of weights and states: float32, or float16 or bfloat16, which `config` then
                tells; pooling is in float32 in any case.

        Raises:
            UserError: one of the files is missing or does not belong to the others, or the device
                cannot compute in that dtype.
        """
        where = find_device(device)
        with heartbeat(f"loading {checkpoint}"):
            loaded = load_model(checkpoint, data=data, reinitialize=reinitialize)
        model = loaded.model.to(where, getattr(torch, dtype))
        config = loaded.config if dtype == "float32" else {**loaded.config, "dtype": dtype}
        encoder = cls(model, loaded.dictionary, loaded.data, config)
        if dtype != "float32":
            encoder._try_dtype(dtype)
        return encoder

    @property
    def device(self) -> torch.device:
        """Where the model is, and the vectors and states it returns."""
        return self._device

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Text to ids, by the tokenizer of the data folder; see `Tokenizer.load`."""
        return Tokenizer.load(self.data, self.dictionary)

    def resolve_layer(self, layer: int) -> int:
        """A layer in 0..L from one that may count from the end (-1 is the last).

        Raises:
            UserError: there is no such layer.
        """
        resolved = layer + self.num_layers + 1 if layer < 0 else layer
        if not 0 <= resolved <= self.num_layers:
            raise UserError(
                f"--layer {layer}: the model has layers 1 to {self.num_layers} (0: embeddings)"
            )
        return resolved

    def embed(
        self,
        sentences: Sequence[str],
        *,
        layer: int = -1,
        pooling: str = "mean",
        batch_tokens: int = 8192,
        name: str | None = None,
    ) -> Tensor:
        """Vectors (N, D) of N sentences, float32, on the model's device, with a progress bar.

        A sentence that occurs twice is encoded once, so that its vectors are equal to the bit.
        The arguments are those of `sentence_vectors`, and the `name` of the text, to warn of
        sentences that are cut.
        """
        return self.embed_layers(
            sentences, [layer], pooling=pooling, batch_tokens=batch_tokens, name=name
        )[0]

    def embed_layers(
        self,
        sentences: Sequence[str],
        layers: Sequence[int],
        *,
        pooling: str = "mean",
        batch_tokens: int = 8192,
        name: str | None = None,
    ) -> Tensor:
        """`embed` at K layers in one pass of the model: (K, N, D)."""
        unique, row_of = distinct(sentences)
        ids = self.tokenizer.encode(unique)
        vectors = torch.empty(len(layers), len(unique), self.dim, device=self._device)
        what = "encoding" if name is None else f"encoding {name}"
        lengths = [min(len(row) + SENTENCE_SPECIALS, self.max_tokens) for row in ids]
        with Progress(
            total=len(unique), unit="sentences", what=what, work=sum(lengths)
        ) as progress:
            for rows, batch in self.layer_vectors(
                ids, layers, pooling=pooling, batch_tokens=batch_tokens
            ):
                vectors[:, torch.from_numpy(rows).to(self._device)] = batch
                progress.update(len(rows), work=sum(lengths[row] for row in rows))
        if name is not None:
            self.warn_of_cut(int(self.too_long(ids)[row_of].sum()), name)
        if len(unique) == len(sentences):
            return vectors
        return vectors[:, torch.from_numpy(row_of).to(self._device)]

    def too_long(self, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Which of N sentences, ids without special tokens, exceed the longest row: (N,) bool."""
        longest = self.max_tokens - SENTENCE_SPECIALS
        return np.array([len(ids) > longest for ids in sentences], dtype=bool)

    def warn_of_cut(self, count: int, name: str) -> None:
        """Says how many sentences of a text have been cut, if any."""
        if count:
            warn(
                f"{count} sentences of {name} are longer than {self.max_tokens} subwords, special "
                "tokens included, and were cut"
            )

    def sentence_vectors(
        self,
        sentences: Sequence[np.ndarray],
        *,
        layer: int = -1,
        pooling: str = "mean",
        batch_tokens: int = 8192,
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Encodes sentences, long ones first, in batches of about equal length.

        Args:
            sentences: ids without special tokens; what exceeds the model's longest row is cut.
            layer: see `resolve_layer`.
            pooling: `mean` over all tokens with `<s>` and `</s>`, `mean-no-specials` over the
                subwords alone, or `cls` for the state of `<s>`.
            batch_tokens: at most so many tokens in a batch, padding included.

        Yields:
            indices (B,) into `sentences`, and their vectors (B, D), float32 on the model's device.
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
        """`sentence_vectors` at K layers in one pass of the model: indices (B,), (K, B, D)."""
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r} is none of {', '.join(POOLINGS)}")
        layers = [self.resolve_layer(layer) for layer in layers]
        limit = self.max_tokens - SENTENCE_SPECIALS
        lengths = [min(len(ids), limit) + SENTENCE_SPECIALS for ids in sentences]
        for indices in batches_by_length(lengths, batch_tokens):
            rows = [sentence_row(sentences[i][:limit], self._specials) for i in indices]
            states, mask = self._states(rows, layers)
            if pooling == "mean-no-specials":
                mask = _without_specials(mask)
            if pooling == "cls":
                vectors = [x[:, 0].float() for x in states]
            else:
                vectors = [mean_pool(x, mask) for x in states]
            yield indices, torch.stack(vectors)

    @torch.no_grad()
    def pair_states(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], *, layer: int = -1
    ) -> PairStates:
        """States of one batch of pairs at a layer, for similarity of words."""
        rows = [sentence_row(ids, self._specials) for ids in (*sources, *targets)]
        (states,), mask = self._states(rows, [self.resolve_layer(layer)])
        source, target = states[:, 1:-1].chunk(2)
        source_mask, target_mask = _without_specials(mask)[:, 1:-1].chunk(2)
        return PairStates(source, target, source_mask, target_mask)

    @torch.no_grad()
    def pair_attention(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]
    ) -> PairAttention:
        """Both attention maps of one batch of pairs, under the masks of word alignment training."""
        layout = alignment_rows(sources, targets, self._specials)
        _, extra = self._model(
            pad_rows(layout.rows, self._specials.pad).to(self._device),
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
        """How many subwords of each side fit into one row together, cutting the longer first."""
        room = self.max_tokens - PAIR_SPECIALS
        half = room // 2
        return (
            min(source_length, max(half, room - target_length)),
            min(target_length, max(room - half, room - source_length)),
        )

    def _try_dtype(self, dtype: str) -> None:
        try:
            self._states([sentence_row(np.zeros(0), self._specials)], [self.num_layers])
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"--dtype {dtype} cannot be used on {self._device}: {reason}") from None

    @torch.no_grad()
    def _states(
        self, rows: Sequence[np.ndarray], layers: Sequence[int]
    ) -> tuple[list[Tensor], Tensor]:
        """States (B, T, D) of each of the layers and the mask (B, T) of real tokens."""
        tokens = pad_rows(rows, self._specials.pad).to(self._device)
        last = max(1, *layers)  # to run
        top, extra = self._model(
            tokens,
            features_only=True,
            return_all_hiddens=any(layer != last for layer in layers),
            sentence_layer=last,
        )
        states = [top if layer == last else extra["inner_states"][layer] for layer in layers]
        return states, tokens.ne(self._specials.pad)


def _without_specials(mask: Tensor) -> Tensor:
    """Takes `<s>` and `</s>` out of a (B, T) mask of real tokens."""
    inner = torch.zeros_like(mask)
    inner[:, 1:-1] = mask[:, 2:]
    return inner
