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
from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.checkpoint import load_model
from fairseq_amber.evaluation.tokenizer import Tokenizer
from fairseq_amber.objectives.sentence_alignment import mean_pool

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
        dictionary: of fairseq, with `<mask>`.
        num_layers: L; layer 0 is the embeddings, layer L the last.
        max_tokens: longest row the model takes, special tokens included.
        config: what identifies the model, for the JSON of a result.
    """

    def __init__(self, model: Any, dictionary: Any, data: Path, config: dict[str, Any]):
        self._model = model
        self._data = data
        self._device = next(model.parameters()).device
        self._specials = Specials.of(dictionary)
        self.dictionary = dictionary
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
        reinitialize: int | None = None,
    ) -> Encoder:
        """Loads a checkpoint of fairseq-train and the dictionary of its data folder.

        Args:
            checkpoint, data, reinitialize: see `load_model`.
            device: such as cpu or cuda:0; by default a GPU if there is one.

        Raises:
            UserError: one of the files is missing or does not belong to the others.
        """
        where = find_device(device)
        loaded = load_model(checkpoint, data=data, reinitialize=reinitialize)
        return cls(loaded.model.to(where), loaded.dictionary, loaded.data, loaded.config)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Text to ids, by the tokenizer of the data folder; see `Tokenizer.load`."""
        return Tokenizer.load(self._data, self.dictionary)

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
    ) -> Tensor:
        """Vectors (N, D) of N sentences, float32, on the model's device, with a progress bar.

        A sentence that occurs twice is encoded once, so that its vectors are equal to the bit.
        The arguments are those of `sentence_vectors`.
        """
        from tqdm import tqdm

        row_of = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
        dim = self._model.encoder.sentence_encoder.embed_tokens.embedding_dim
        vectors = torch.empty(len(row_of), dim, device=self._device)
        ids = self.tokenizer.encode(list(row_of))
        with tqdm(total=len(ids), unit=" sentences", leave=False, disable=None) as progress:
            for rows, batch in self.sentence_vectors(
                ids, layer=layer, pooling=pooling, batch_tokens=batch_tokens
            ):
                vectors[torch.from_numpy(rows).to(self._device)] = batch
                progress.update(len(rows))
        wanted = [row_of[sentence] for sentence in sentences]
        return vectors[torch.tensor(wanted, device=self._device)]

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
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r} is none of {', '.join(POOLINGS)}")
        layer = self.resolve_layer(layer)
        limit = self.max_tokens - SENTENCE_SPECIALS
        lengths = [min(len(ids), limit) + SENTENCE_SPECIALS for ids in sentences]
        for indices in batches_by_length(lengths, batch_tokens):
            rows = [sentence_row(sentences[i][:limit], self._specials) for i in indices]
            states, mask = self._states(rows, layer)
            if pooling == "cls":
                vectors = states[:, 0]
            else:
                if pooling == "mean-no-specials":
                    mask = _without_specials(mask)
                vectors = mean_pool(states, mask)
            yield indices, vectors

    @torch.no_grad()
    def pair_states(
        self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], *, layer: int = -1
    ) -> PairStates:
        """States of one batch of pairs at a layer, for similarity of words."""
        rows = [sentence_row(ids, self._specials) for ids in (*sources, *targets)]
        states, mask = self._states(rows, self.resolve_layer(layer))
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

    @torch.no_grad()
    def _states(self, rows: Sequence[np.ndarray], layer: int) -> tuple[Tensor, Tensor]:
        """States (B, T, D) of a layer and the mask (B, T) of real tokens."""
        tokens = pad_rows(rows, self._specials.pad).to(self._device)
        _, extra = self._model(
            tokens,
            features_only=True,
            return_all_hiddens=True,
            sentence_layer=max(layer, 1),  # the last to run
        )
        return extra["inner_states"][layer], tokens.ne(self._specials.pad)


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[np.ndarray]:
    """Indices in batches of falling length; count times longest length <= batch_tokens.

    A single item longer than batch_tokens is a batch of its own. Long batches come first, so that
    what does not fit into memory shows at once.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def _without_specials(mask: Tensor) -> Tensor:
    """Takes `<s>` and `</s>` out of a (B, T) mask of real tokens."""
    inner = torch.zeros_like(mask)
    inner[:, 1:-1] = mask[:, 2:]
    return inner


def find_device(name: str | None) -> torch.device:
    """The device of that name; without one, a GPU if there is one.

    Raises:
        UserError: it cannot be used.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used: {reason}") from None
    return device
