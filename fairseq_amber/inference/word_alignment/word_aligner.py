"""Links the words or subwords of sentence pairs by an encoder's attention or states.

Shapes: B pairs, S source subwords, T target subwords.
"""

from __future__ import annotations

from typing import Any, Iterator, Sequence

import numpy as np
from torch import Tensor

from fairseq_amber.data.batches_by_length import batches_by_length
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS
from fairseq_amber.errors import UserError
from fairseq_amber.inference.encoder import Encoder
from fairseq_amber.inference.tokenizer import Tokenizer, WordPieces
from fairseq_amber.inference.word_alignment.defaults import default_layer
from fairseq_amber.inference.word_alignment.methods import SubwordLinks, linker, settings_of
from fairseq_amber.inference.word_alignment.word_scores import (
    Alignment,
    word_alignments,
    word_scores,
)
from fairseq_amber.metrics.word_alignment import Link
from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.word_splitters import Splitter, word_splitter


def encode_units(
    tokenizer: Tokenizer,
    lines: Sequence[str],
    units: str,
    split: Splitter | None = None,
    as_written: bool = False,
) -> list[WordPieces]:
    """Encodes sentences for an ``Aligner``, whose links number words or subwords.

    Args:
        tokenizer: the tokenizer of the encoder.
        lines: the sentences.
        units: ``words`` numbers the words that ``split`` makes of a line; ``subwords`` numbers its
            subwords, as in binarised text without special tokens.
        split: splits a line into words; by default at the spaces and tabs of ASCII.
        as_written: encode words of scripts without spaces as in running text.
    """
    if units == "words":
        split = split or word_splitter("spaces")
        words = [split(line) for line in Progress(lines, unit="lines", what="finding words")]
        return tokenizer.encode_words(words, as_written)
    return [WordPieces(ids, np.arange(len(ids))) for ids in tokenizer.encode(lines)]


class Aligner:
    """Links the words, or other units, whose subwords the method links.

    Most methods link two subwords if each is the other's best match:

    - ``attention``: by the product of the two attention maps of the top layer that AMBER's word
      alignment objective makes agree, averaged over the attention heads.
    - ``similarity``: by the cosine of their states at a layer, each sentence encoded alone (Jalili
      Sabet et al., 2020: Argmax).
    - ``itermax``: as ``similarity``, and then links are added among units that have none (the
      same paper: Itermax).
    - ``transport``: by the mass that moves from one to the other in the optimal transport plan
      between their states.

    Two methods link those whose probabilities are above a threshold in both directions:

    - ``softmax``: the softmax of the cosines of their states, or of the products (Dou and Neubig,
      2021).
    - ``entmax``: the same with 1.5-entmax, a sparse softmax.

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
        layer: int | None = None,
        alpha: float = 0.9,
        epsilon: float = 0.1,
        iterations: int | None = None,
        reach: float | None = None,
        temperature: float | None = None,
        threshold: float | None = None,
        dot_product: bool = False,
    ):
        """Chooses a method and its settings.

        Args:
            encoder: the encoder.
            method: one of ``METHODS``.
            layer: the layer of the states, by default that of ``default_layer``; ``attention`` has
                the last layer only.
            alpha: setting of ``itermax``; see ``iterated_argmax``.
            epsilon: setting of ``transport``; see ``transport_plan``.
            iterations: setting of ``itermax``, by default 2, and of ``transport``, by default 50.
            reach: setting of ``transport``; see ``transport_plan``.
            temperature: setting of ``softmax`` and ``entmax``: divides the cosines or products, by
                default that of ``defaults.TEMPERATURES``, or 1 with ``dot_product``.
            threshold: setting of ``softmax`` and ``entmax``, by default that of
                ``defaults.THRESHOLDS``.
            dot_product: setting of ``softmax`` and ``entmax``: whether to take the products of
                states, as awesome-align does, in place of their cosines.

        Raises:
            UserError: there is no such method or layer, or ``epsilon`` is too low.
        """
        settings = settings_of(
            method,
            alpha=alpha,
            epsilon=epsilon,
            iterations=iterations,
            reach=reach,
            temperature=temperature,
            threshold=threshold,
            dot_product=dot_product,
        )
        self._encoder = encoder
        self._link = linker(method, **settings)
        self.max_tokens = encoder.max_tokens
        self.method = method
        self.layer = self.resolve_layer(
            default_layer(method, encoder.num_layers) if layer is None else layer
        )
        self.config = {
            **encoder.config,
            "method": method,
            "layer": self.layer,
            "layers": encoder.num_layers,
            **settings,
        }

    def resolve_layer(self, layer: int) -> int:
        """Returns the number of a layer, 0 to L; a negative layer counts from the end: -1 is L.

        Raises:
            UserError: the model has no such layer, or the method does not read it.
        """
        number = self._encoder.resolve_layer(layer)
        if self.method == "attention" and number != self._encoder.num_layers:
            raise UserError(
                f"--layer {layer}: --method attention reads the last layer, whose attention is "
                "trained; for other layers use another method, such as --method similarity"
            )
        return number

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
        for i, (found,) in self.align_layers(
            sources, targets, [self.layer], batch_tokens=batch_tokens
        ):
            yield i, found.links

    def align_layers(
        self,
        sources: Sequence[WordPieces],
        targets: Sequence[WordPieces],
        layers: Sequence[int],
        *,
        scores: bool = False,
        batch_tokens: int = 8192,
    ) -> Iterator[tuple[int, list[Alignment]]]:
        """Links the units of sentence pairs at several layers, from one pass of the model.

        Args:
            sources: as in ``align``.
            targets: as in ``align``.
            layers: K layers; see ``resolve_layer``.
            scores: whether to give the score of each link.
            batch_tokens: as in ``align``.

        Yields:
            The index of a pair and its alignments at the K layers, for every pair.

        Raises:
            UserError: the scores of a pair are NaN or infinite.
        """
        layers = [self.resolve_layer(layer) for layer in layers]
        non_empty_pairs = [
            i for i, (x, y) in enumerate(zip(sources, targets)) if len(x.ids) and len(y.ids)
        ]
        fitted = {i: self._fit(sources[i], targets[i]) for i in non_empty_pairs}
        lengths = [self._tokens(*fitted[i]) for i in non_empty_pairs]
        for batch in batches_by_length(lengths, batch_tokens):
            indices = [non_empty_pairs[position] for position in batch]
            pairs = [fitted[i] for i in indices]
            by_layer = [
                word_alignments(self.method, found, pairs, scores=scores)
                for found in self._found(pairs, layers)
            ]
            yield from zip(indices, map(list, zip(*by_layer)))
        for i in sorted(set(range(len(sources))).difference(non_empty_pairs)):
            yield i, [Alignment([], [] if scores else None) for _ in layers]

    def cut_words(self, source: WordPieces, target: WordPieces) -> int:
        """Returns how many units of a pair do not fit into the longest row and get no links."""
        cut = 0
        for whole, fitted in zip((source, target), self._fit(source, target)):
            if len(fitted.words) < len(whole.words):
                cut += len(set(whole.words[len(fitted.words) :]) - set(fitted.words[-1:]))
        return cut

    def word_scores(
        self, source: WordPieces, target: WordPieces, shape: tuple[int, int]
    ) -> np.ndarray:
        """Returns the score of every two words of one pair at ``layer``, for a picture.

        Args:
            source: the source sentence.
            target: its translation.
            shape: the numbers of words of the two sentences.

        Returns:
            float32 array of that shape; see ``word_scores.word_scores``.
        """
        x, y = self._fit(source, target)
        if not len(x.ids) or not len(y.ids):
            return np.zeros(shape, dtype=np.float32)
        [found] = self._found([(x, y)], [self.layer])
        return word_scores(self.method, found.scores[0].cpu().numpy(), x, y, shape)

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

    def _found(
        self, pairs: Sequence[tuple[WordPieces, WordPieces]], layers: Sequence[int]
    ) -> Iterator[SubwordLinks]:
        """Yields the links of the subwords of one batch of pairs at each layer.

        Raises:
            UserError: the scores of a pair are NaN or infinite.
        """
        sources, targets = ([side.ids for side in sides] for sides in zip(*pairs))
        inputs: Sequence[Any]
        if self.method == "attention":
            inputs = [self._encoder.pair_attention(sources, targets)] * len(layers)
        else:
            inputs = self._encoder.layer_pair_states(sources, targets, layers)
        for each in inputs:
            found = self._link(each)
            padding = ~(each.source_mask[:, :, None] & each.target_mask[:, None, :])
            _check_finite(found.scores.masked_fill(padding, 0))
            yield found


def _check_finite(scores: Tensor) -> None:
    """Raises UserError if a score is NaN or infinite."""
    # A comparison with NaN is always false, so that such words would be linked to the first word.
    if not scores.isfinite().all():
        raise UserError(
            "the model's states are NaN or infinite; use another checkpoint, or --dtype float32 or "
            "bfloat16"
        )
