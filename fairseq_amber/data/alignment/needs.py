"""The parts of a batch that a criterion needs: rows, points and word links.

A criterion states its ``Needs``; the task reads them and opens the corpora and builds the collater
that they call for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS
from fairseq_amber.files.pair_names import languages_of


class PointSettings(NamedTuple):
    """Which tokens of a sentence are points, and how a problem shares out its mass among them.

    Attributes:
        words: the points are the last subwords of words (Cao et al. 2020); otherwise every subword
            is a point.
        special_tokens: ``<s>`` and ``</s>`` are points too.
        pooled: all pairs of two languages in a micro-batch form one problem; otherwise each pair
            forms its own.
        equal_sentences: each sentence of a pooled problem has the same mass; otherwise each point
            has.
        idf: the points of a sentence share its mass by inverse document frequency; otherwise
            evenly.
        target_language: the side in this language is the target; where neither side is, the second
            one.
    """

    words: bool = True
    special_tokens: bool = False
    pooled: bool = False
    equal_sentences: bool = False
    idf: bool = False
    target_language: str = "en"

    def target_side(self, pair: str) -> int:
        """Returns which side of the corpus ``<src>-<tgt>`` is the target: 0 or 1."""
        return target_side(pair, self.target_language)


class LinkSettings(NamedTuple):
    """Where the word links of pairs are, and which states they link.

    Attributes:
        folder: the folder with the word links.
        units: the units that a link numbers: ``words`` or ``subwords``.
        subword: the subword of a word whose state is the word's: the ``last`` (Cao et al. 2020) or
            the ``first`` (Wu and Dredze 2020).
        special_tokens: the ``<s>`` of both sentences of a pair are linked, and their ``</s>``.
        target_language: as in ``PointSettings``.
    """

    folder: str
    units: str = "words"
    subword: str = "last"
    special_tokens: bool = False
    target_language: str = "en"

    def target_side(self, pair: str) -> int:
        """Returns which side of the corpus ``<src>-<tgt>`` is the target: 0 or 1."""
        return target_side(pair, self.target_language)


def target_side(pair: str, language: str) -> int:
    """Returns which side of the corpus ``<src>-<tgt>`` is in the target language: 0 or 1; 1 where
    neither is."""
    return 0 if languages_of(pair)[0] == language else 1


class Needs(NamedTuple):
    """What a criterion needs of a batch.

    Attributes:
        mlm: masked sentences.
        tlm: masked pairs.
        alignment: the two passes of word alignment, which also yield both sentence vectors.
        sentences: the two sentences of a pair in rows of their own, for sentence vectors without
            the passes of word alignment, or for the states of words.
        include_specials: special tokens count in the mean of a sentence.
        alignment_specials: the ``</s>`` of each sentence counts in word alignment.
        word_states: the rows whose states word alignment compares: ``apart``, those of
            ``sentences``; ``joint``, an unmasked row [x;y] of each pair; None for no states.
        update_candidates: the sentences of all steps of the update.
        others: monolingual sentences in unmasked rows, as further candidates.
        points: the points of each sentence, by their positions in the rows of ``sentences``
            (or of the ``sentence_states`` of word alignment); None for no points.
        links: the pairs' word links, whose ends are positions in the same rows; None for no links.
    """

    mlm: bool = True
    tlm: bool = True
    alignment: bool = True
    sentences: bool = False
    include_specials: bool = True
    alignment_specials: bool = False
    word_states: str | None = None
    update_candidates: bool = False
    others: bool = False
    points: PointSettings | None = None
    links: LinkSettings | None = None

    @property
    def rows_per_pair(self) -> int:
        """The number of rows of a batch that hold both sentences of one pair."""
        return int(self.tlm) + 2 * int(self.alignment) + int(self.word_states == "joint")

    @property
    def pairs(self) -> bool:
        """Whether parallel text is needed at all."""
        return self.rows_per_pair > 0 or self.sentences

    def tokens_of_pair(self, lengths: np.ndarray) -> np.ndarray:
        """Counts the tokens in all rows of a pair without padding, special tokens included.

        Args:
            lengths: (n,) subwords of both sentences of each pair.

        Returns:
            (n,) tokens.
        """
        together = self.rows_per_pair * (lengths + PAIR_SPECIALS)
        return together + int(self.sentences) * (lengths + 2 * SENTENCE_SPECIALS)

    def parts_of_pair(self, lengths: np.ndarray, longer: np.ndarray) -> np.ndarray:
        """Counts the tokens that the rows of a pair take up.

        Args:
            lengths: (n,) subwords of both sentences of each pair.
            longer: (n,) subwords of the longer sentence.

        Returns:
            (n, 2) tokens: of the rows of both sentences, and of the two rows of one sentence each,
            which are padded to the longer one.
        """
        together = self.rows_per_pair * (lengths + PAIR_SPECIALS)
        separate = int(self.sentences) * 2 * (longer + SENTENCE_SPECIALS)
        return np.stack([together, separate], axis=1)

    def cost_of_sentence(
        self, lengths: np.ndarray, specials: int = SENTENCE_SPECIALS
    ) -> np.ndarray:
        """Counts the tokens in all rows of a monolingual sentence: (n,) subwords -> (n,) tokens."""
        return (1 + int(self.others)) * (lengths + specials)
