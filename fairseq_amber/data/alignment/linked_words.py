"""Finds the positions of linked words in a batch."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch

from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.alignment.needs import LinkSettings
from fairseq_amber.data.alignment.training_links import LinkFile
from fairseq_amber.data.words import Words
from fairseq_amber.tokenizers.word_boundaries import last_subwords


class CorpusLinks:
    """The word links of a corpus, at the positions of the words. The position of a word is that of
    its last subword (Cao et al. 2020), or of its first one (Wu and Dredze 2020).

    Args:
        links: the links of each pair.
        words: the words of both sides that links number; None if they number subwords.
        first: the position of a word is that of its first subword.
    """

    def __init__(self, links: LinkFile, words: tuple[Words, Words] | None, first: bool = False):
        self._links = links
        self._words = words
        self._first = first

    @property
    def counts(self) -> np.ndarray:
        """(N,) int32 the number of links of each pair; a new array at each call."""
        return self._links.counts

    def positions(self, index: int, sentences: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the links of a pair, (m, 2) int64: the positions of the linked subwords in its
        two ``sentences``."""
        links = self._links[index]
        if self._words is None:
            return links
        find = np.flatnonzero if self._first else last_subwords
        sides = [
            find(words.starts(index, tokens))[links[:, side]]
            for side, (words, tokens) in enumerate(zip(self._words, sentences))
        ]
        return np.stack(sides, axis=1)


class LinkedWords:
    """Finds the states of linked words in a batch.

    Args:
        settings: whether special tokens are linked, and which side of a pair is the target.
    """

    def __init__(self, settings: LinkSettings):
        self.settings = settings

    def batch(
        self,
        pairs: Sequence[str],
        sentences: Sequence[tuple[np.ndarray, ...]],
        links: Sequence[np.ndarray | None],
        starts: RowStarts,
    ) -> dict[str, Any]:
        """Returns the links of n pairs.

        Args:
            pairs: the name of each pair's corpus, ``<src>-<tgt>``.
            sentences: both sentences of each pair.
            links: (m, 2) ``CorpusLinks.positions`` of each pair; None for no links.
            starts: where the rows ``<s> x </s>`` of the sentences begin among the states of the
                micro-batch.

        Returns:
            A dict of the M links of all pairs, of those with special tokens last in their pair:

            - ``source`` and ``target``, (M,) int64: the positions of the linked words among the
              states, by the sides that the settings name.
            - ``initial``, (M,) int64: the positions of the targets among the states of the target
              sentences alone.
            - ``pair``, (M,) int64: the number of the pair that each link is of.
            - ``source_place`` and ``target_place``, (M,) int64: the positions in the words' own
              rows.
        """
        places: list[np.ndarray] = [np.zeros((0, 2), dtype=np.int64)]
        counts = []
        targets = [self.settings.target_side(pair) for pair in pairs]
        for both, own, target in zip(sentences, links, targets):
            found = np.zeros((0, 2), dtype=np.int64) if own is None else self._places(both, own)
            places.append(found[:, ::-1] if target == 0 else found)  # sources before targets
            counts.append(len(found))
        source, target = np.concatenate(places).T
        pair = np.repeat(np.arange(len(counts)), counts)
        rows = np.stack([starts.first, starts.second])
        side = np.array(targets, dtype=np.int64)[pair]
        out = {
            "source": rows[1 - side, pair] + source,
            "target": rows[side, pair] + target,
            "initial": starts.alone[pair] + target,
            "pair": pair,
            "source_place": source,
            "target_place": target,
        }
        return {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in out.items()}

    def counts(self, linked: np.ndarray) -> np.ndarray:
        """Adds the links of special tokens to the (N,) numbers of other links of each pair: (N,)
        int32."""
        return linked + np.int32(2 * self.settings.special_tokens)

    def _places(self, sentences: tuple[np.ndarray, ...], links: np.ndarray) -> np.ndarray:
        """Returns the positions of a pair's m linked words in the rows of its sentences: (m, 2)."""
        places = links + 1
        if self.settings.special_tokens:
            ends = [len(x) + 1 for x in sentences]
            places = np.concatenate([places, [[0, 0], ends]])
        return places
