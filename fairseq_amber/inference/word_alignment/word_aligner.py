"""Links of sentence pairs, between words or subwords, from an encoder's attention or states."""

from __future__ import annotations

from functools import partial
from typing import Callable, Iterator, NamedTuple, Sequence

import numpy as np
from torch import Tensor

from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, pad_rows
from fairseq_amber.data.sentence_batches import batches_by_length
from fairseq_amber.errors import UserError
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.tokenizer import Tokenizer, WordPieces
from fairseq_amber.inference.word_alignment.link_extraction import (
    NO_WORD,
    cosine_similarity,
    iterated_argmax,
    mutual_argmax,
    mutual_attention,
    transport_plan,
    word_links,
)
from fairseq_amber.metrics.word_alignment import Link
from fairseq_amber.progress import Progress

METHODS = ("attention", "similarity", "itermax", "transport")


def encode_units(
    tokenizer: Tokenizer,
    lines: Sequence[str],
    units: str,
    split: Callable[[str], list[str]] = str.split,
) -> list[WordPieces]:
    """Sentences for an `Aligner`, whose links then number their `words`, those that `split` makes
    of a line, or their `subwords`, as binarised text has them, without special tokens."""
    if units == "words":
        words = [split(line) for line in Progress(lines, unit="lines", what="finding words")]
        return tokenizer.encode_words(words)
    return [WordPieces(ids, np.arange(len(ids))) for ids in tokenizer.encode(lines)]


class _TokenScores(NamedTuple):
    """(B, S, T) scores of subword pairs, and which subwords count: (B, S) and (B, T) bool."""

    scores: Tensor
    source_mask: Tensor
    target_mask: Tensor


class Aligner:
    """Links words (or what else `encode_units` numbers) whose subwords are each other's best match.

    `attention` scores two subwords by the head-mean of the product of the two attention maps that
    word alignment training makes agree (top layer). `similarity` scores them by the cosine of their
    states at a layer, each sentence encoded alone (Jalili Sabet et al., 2020: Argmax); `itermax`
    adds the best matches among what then has no link (the same: Itermax). `transport` scores them
    by the mass that goes from one to the other in the transport plan between these states.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        method: str = "attention",
        layer: int = -1,
        alpha: float = 0.9,
        epsilon: float = 0.1,
        iterations: int | None = None,
        reach: float | None = None,
    ):
        """Takes the layer of the states; attention has only the last. `config` says what the links
        depend on, for the JSON of a result.

        Args:
            alpha: of itermax; see `iterated_argmax`.
            epsilon, reach: of transport; see `transport_plan`.
            iterations: of itermax, by default 2, or of transport, by default 50.

        Raises:
            UserError: there is no such method or layer.
        """
        if method not in METHODS:
            raise UserError(f"--method {method} is none of {', '.join(METHODS)}")
        self._encoder = encoder
        self.max_tokens = encoder.max_tokens
        self.method = method
        self.layer = encoder.resolve_layer(layer)
        if method == "attention" and self.layer != encoder.num_layers:
            raise UserError(
                f"--layer {layer}: --method attention reads the last layer, the one that is "
                "trained; other layers go with --method similarity, itermax or transport"
            )
        self._transport = partial(
            transport_plan, epsilon=epsilon, iterations=iterations or 50, reach=reach
        )
        self._itermax = partial(iterated_argmax, alpha=alpha, iterations=iterations or 2)
        of_method = {"transport": self._transport, "itermax": self._itermax}
        self.config = {
            **encoder.config,
            "method": method,
            "layer": self.layer,
            "layers": encoder.num_layers,
            **(of_method[method].keywords if method in of_method else {}),
        }

    def align(
        self,
        sources: Sequence[WordPieces],
        targets: Sequence[WordPieces],
        *,
        batch_tokens: int = 8192,
    ) -> Iterator[tuple[int, list[Link]]]:
        """Yields (index, links) of every pair, long pairs first; a side without subwords has none.

        Args:
            batch_tokens: at most so many tokens in a batch, padding included.

        Raises:
            UserError: the scores of a pair are NaN or infinite.
        """
        full = [i for i, (x, y) in enumerate(zip(sources, targets)) if len(x.ids) and len(y.ids)]
        fitted = {i: self._fit(sources[i], targets[i]) for i in full}
        lengths = [self._tokens(*fitted[i]) for i in full]
        for batch in batches_by_length(lengths, batch_tokens):
            indices = [full[position] for position in batch]
            pairs = [fitted[i] for i in indices]
            scores = self._score(pairs)
            _check_finite(scores)
            aligned = self._extract(scores)
            words = pad_rows([side.words for sides in zip(*pairs) for side in sides], NO_WORD)
            yield from zip(indices, word_links(aligned.cpu(), *words.chunk(2)))
        for i in sorted(set(range(len(sources))).difference(full)):
            yield i, []

    def cut_words(self, source: WordPieces, target: WordPieces) -> int:
        """How many words of a pair lie wholly beyond the longest row, hence without links."""
        cut = 0
        for whole, fitted in zip((source, target), self._fit(source, target)):
            if len(fitted.words) < len(whole.words):
                cut += len(set(whole.words[len(fitted.words) :]) - set(fitted.words[-1:]))
        return cut

    def word_scores(self, source: WordPieces, target: WordPieces, shape: tuple[int, int]):
        """The score of every two words of one pair, for a picture.

        Args:
            shape: how many words the two sentences have.

        Returns:
            float array of that shape: the highest score of any of their subwords; for transport the
            mass that goes between the two, as a share of the mass of the smaller one.
        """
        result = np.zeros(shape, dtype=np.float32)
        x, y = self._fit(source, target)
        if not len(x.ids) or not len(y.ids):
            return result
        scores = self._score([(x, y)]).scores[0, : len(x.ids), : len(y.ids)].cpu().numpy()
        words = x.words[:, None], y.words[None, :]
        if self.method != "transport":
            np.maximum.at(result, words, scores)
            return result
        np.add.at(result, words, scores)
        source_mass, target_mass = (
            np.bincount(side.words, minlength=size) / len(side.ids)
            for side, size in zip((x, y), shape)
        )
        smaller = np.minimum.outer(source_mass, target_mass)
        return np.divide(result, smaller, out=result, where=smaller > 0)

    def _fit(self, source: WordPieces, target: WordPieces) -> tuple[WordPieces, WordPieces]:
        if self.method == "attention":
            lengths = self._encoder.fit_pair(len(source.ids), len(target.ids))
        else:
            lengths = (self._encoder.max_tokens - SENTENCE_SPECIALS,) * 2
        x, y = (
            WordPieces(side.ids[:length], side.words[:length])
            for side, length in zip((source, target), lengths)
        )
        return x, y

    def _tokens(self, source: WordPieces, target: WordPieces) -> int:
        """How many tokens a pair takes in a batch of its like, special tokens included."""
        lengths = len(source.ids), len(target.ids)
        if self.method == "attention":  # rows [x;y] and [y;x]
            return 2 * (sum(lengths) + PAIR_SPECIALS)
        return 2 * (max(lengths) + SENTENCE_SPECIALS)

    def _score(self, pairs: Sequence[tuple[WordPieces, WordPieces]]) -> _TokenScores:
        sources, targets = ([side.ids for side in sides] for sides in zip(*pairs))
        if self.method == "attention":
            maps = self._encoder.pair_attention(sources, targets)
            scores = mutual_attention(maps.source_to_target, maps.target_to_source)
            return _TokenScores(scores, maps.source_mask, maps.target_mask)
        states = self._encoder.pair_states(sources, targets, layer=self.layer)
        if self.method == "transport":
            scores = self._transport(*states)
        else:
            scores = cosine_similarity(states.source, states.target)
        return _TokenScores(scores, states.source_mask, states.target_mask)

    def _extract(self, found: _TokenScores) -> Tensor:
        """(B, S, T) bool: which subwords are linked."""
        if self.method == "itermax":
            similarity = (1 + found.scores) / 2
            return self._itermax(similarity, found.source_mask, found.target_mask)
        aligned = mutual_argmax(*found)
        if self.method == "transport":
            aligned &= found.scores > 0  # where no mass goes there is no link
        return aligned


def _check_finite(found: _TokenScores) -> None:
    padding = ~(found.source_mask[:, :, None] & found.target_mask[:, None, :])
    # No comparison with NaN holds: such words would be linked to whatever is first.
    if not found.scores.masked_fill(padding, 0).isfinite().all():
        raise UserError(
            "the model's states are NaN or infinite; use another checkpoint, or --dtype float32 or "
            "bfloat16"
        )
