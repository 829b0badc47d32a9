"""Links the words or subwords of sentence pairs by an encoder's attention or states.

Shapes: B pairs, S source subwords, T target subwords.
"""

from __future__ import annotations

from functools import partial
from typing import Iterator, NamedTuple, Sequence

import numpy as np
from torch import Tensor

from fairseq_amber.data.batches_by_length import batches_by_length
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS, pad_rows
from fairseq_amber.errors import UserError
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.tokenizer import Tokenizer, WordPieces
from fairseq_amber.inference.word_alignment.link_extraction import (
    LARGEST_COST,
    NO_WORD,
    cosine_similarity,
    iterated_argmax,
    mutual_argmax,
    mutual_attention,
    transport_plan,
    word_links,
)
from fairseq_amber.metrics.word_alignment import Link
from fairseq_amber.objectives.optimal_transport.sinkhorn import LARGEST_EXPONENT
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.word_splitters import Splitter, word_splitter

METHODS = ("attention", "similarity", "itermax", "transport")


def encode_units(
    tokenizer: Tokenizer,
    lines: Sequence[str],
    units: str,
    split: Splitter | None = None,
) -> list[WordPieces]:
    """Encodes sentences for an ``Aligner``, whose links number words or subwords.

    Args:
        tokenizer: the tokenizer of the encoder.
        lines: the sentences.
        units: ``words`` numbers the words that ``split`` makes of a line; ``subwords`` numbers its
            subwords, as in binarised text without special tokens.
        split: splits a line into words; by default at the spaces and tabs of ASCII.
    """
    if units == "words":
        split = split or word_splitter("spaces")
        words = [split(line) for line in Progress(lines, unit="lines", what="finding words")]
        return tokenizer.encode_words(words)
    return [WordPieces(ids, np.arange(len(ids))) for ids in tokenizer.encode(lines)]


class _TokenScores(NamedTuple):
    """Scores of subword pairs.

    Attributes:
        scores: (B, S, T), a higher score is a better match.
        source_mask: (B, S) bool, True on subwords, False on padding.
        target_mask: (B, T) bool, True on subwords, False on padding.
    """

    scores: Tensor
    source_mask: Tensor
    target_mask: Tensor


class Aligner:
    """Links the words, or other units, whose subwords are each other's best match.

    The method scores two subwords:

    - ``attention``: by the product of the two attention maps of the top layer that AMBER's word
      alignment objective makes agree, averaged over the attention heads.
    - ``similarity``: by the cosine of their states at a layer, each sentence encoded alone (Jalili
      Sabet et al., 2020: Argmax).
    - ``itermax``: as ``similarity``, and then links are added among units that have none (the
      same paper: Itermax).
    - ``transport``: by the mass that moves from one to the other in the optimal transport plan
      between their states.

    Attributes:
        method: the method.
        layer: the layer of the states, 0 to L.
        max_tokens: length of the longest row that the model takes, special tokens included.
        config: the settings on which the links depend, for the JSON of a result.
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
        """Chooses a method and its settings.

        Args:
            encoder: the encoder.
            method: one of ``METHODS``.
            layer: the layer of the states; ``attention`` has the last layer only.
            alpha: setting of ``itermax``; see ``iterated_argmax``.
            epsilon: setting of ``transport``; see ``transport_plan``.
            iterations: setting of ``itermax``, by default 2, and of ``transport``, by default 50.
            reach: setting of ``transport``; see ``transport_plan``.

        Raises:
            UserError: there is no such method or layer, or ``epsilon`` is too low.
        """
        if method not in METHODS:
            raise UserError(f"--method {method} is not one of {', '.join(METHODS)}")
        self._encoder = encoder
        self.max_tokens = encoder.max_tokens
        self.method = method
        self.layer = encoder.resolve_layer(layer)
        if method == "attention" and self.layer != encoder.num_layers:
            raise UserError(
                f"--layer {layer}: --method attention reads the last layer, whose attention is "
                "trained; for other layers use --method similarity, itermax or transport"
            )
        lowest = LARGEST_COST / LARGEST_EXPONENT["torch"]
        if method == "transport" and epsilon < lowest:
            raise UserError(
                f"--epsilon {epsilon} is too low for costs up to {LARGEST_COST:g}: the arithmetic "
                f"allows {lowest:.1e} or more"
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
        """Links the units of sentence pairs, long pairs first.

        Args:
            sources: the source sentences; see ``encode_units``.
            targets: their translations.
            batch_tokens: upper limit of the tokens in a batch, padding included.

        Yields:
            The index of a pair and its links, for every pair. A pair with a side without subwords
            has no links.

        Raises:
            UserError: the scores of a pair are NaN or infinite.
        """
        non_empty_pairs = [
            i for i, (x, y) in enumerate(zip(sources, targets)) if len(x.ids) and len(y.ids)
        ]
        fitted = {i: self._fit(sources[i], targets[i]) for i in non_empty_pairs}
        lengths = [self._tokens(*fitted[i]) for i in non_empty_pairs]
        for batch in batches_by_length(lengths, batch_tokens):
            indices = [non_empty_pairs[position] for position in batch]
            pairs = [fitted[i] for i in indices]
            scores = self._score(pairs)
            _check_finite(scores)
            aligned = self._extract(scores)
            words = pad_rows([side.words for sides in zip(*pairs) for side in sides], NO_WORD)
            yield from zip(indices, word_links(aligned.cpu(), *words.chunk(2)))
        for i in sorted(set(range(len(sources))).difference(non_empty_pairs)):
            yield i, []

    def cut_words(self, source: WordPieces, target: WordPieces) -> int:
        """Returns how many units of a pair do not fit into the longest row and get no links."""
        cut = 0
        for whole, fitted in zip((source, target), self._fit(source, target)):
            if len(fitted.words) < len(whole.words):
                cut += len(set(whole.words[len(fitted.words) :]) - set(fitted.words[-1:]))
        return cut

    def word_scores(self, source: WordPieces, target: WordPieces, shape: tuple[int, int]):
        """Returns the score of every two words of one pair, for a picture.

        Args:
            source: the source sentence.
            target: its translation.
            shape: the numbers of words of the two sentences.

        Returns:
            float32 array of that shape: for every two words the highest score of any two of their
            subwords; for ``transport`` the mass that moves between the two words, as a share of the
            smaller mass.
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
        """Cuts the sentences of a pair so that they fit into a row."""
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
        """Counts the tokens of a pair in a batch of equally long pairs, special tokens included."""
        lengths = len(source.ids), len(target.ids)
        if self.method == "attention":  # rows [x;y] and [y;x]
            return 2 * (sum(lengths) + PAIR_SPECIALS)
        return 2 * (max(lengths) + SENTENCE_SPECIALS)

    def _score(self, pairs: Sequence[tuple[WordPieces, WordPieces]]) -> _TokenScores:
        """Returns the scores of one batch of pairs."""
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
        """Returns the links of subwords: (B, S, T) bool."""
        if self.method == "itermax":
            similarity = (1 + found.scores) / 2
            return self._itermax(similarity, found.source_mask, found.target_mask)
        aligned = mutual_argmax(*found)
        if self.method == "transport":
            aligned &= found.scores > 0  # subwords between which no mass moves are not linked
        return aligned


def _check_finite(found: _TokenScores) -> None:
    """Raises UserError if a score is NaN or infinite."""
    padding = ~(found.source_mask[:, :, None] & found.target_mask[:, None, :])
    # A comparison with NaN is always false, so that such words would be linked to the first word.
    if not found.scores.masked_fill(padding, 0).isfinite().all():
        raise UserError(
            "the model's states are NaN or infinite; use another checkpoint, or --dtype float32 or "
            "bfloat16"
        )
