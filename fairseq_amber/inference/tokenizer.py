"""Turns raw text into the token ids that a model was trained on.

SentencePiece or WordPiece cuts the text into subwords, and fairseq's dictionary numbers these. The
ids equal those that ``fairseq-preprocess`` stores for the same subwords, without the closing
``</s>``.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import numpy as np

from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.running_text import RunningText
from fairseq_amber.tokenizers.subwords import Subwords, find_tokenizer

# Sentences per step of the progress bar. The command embed encodes fewer at a time, since it has a
# bar of its own.
_CHUNK = 1 << 16


class WordPieces(NamedTuple):
    """The subwords of one sentence.

    Attributes:
        ids: (L,) int64, token ids of the subwords, without special tokens.
        words: (L,) int64, index of the word that each subword belongs to.
    """

    ids: np.ndarray
    words: np.ndarray


class Tokenizer:
    """Encodes text into subwords and looks them up in a dictionary."""

    def __init__(self, subwords: Subwords, dictionary: Any):
        """Looks up the pieces of ``subwords`` in a fairseq ``Dictionary``."""
        self._subwords = subwords
        self._dictionary = dictionary
        ids = [dictionary.index(piece or "<unk>") for piece in subwords.pieces]
        self._ids = np.array(ids, dtype=np.int64)

    @classmethod
    def load(cls, data: str | Path, dictionary: Any) -> Tokenizer:
        """Reads the SentencePiece model or the WordPiece vocabulary of a data folder.

        Args:
            data: the data folder.
            dictionary: fairseq's ``Dictionary`` of that folder.

        Raises:
            UserError: both files or a package are missing, or a file is damaged.
        """
        return cls(find_tokenizer(Path(data)).load(), dictionary)

    @cached_property
    def _running_text(self) -> RunningText:
        return RunningText(self._subwords.pieces, self._dictionary)

    def encode(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """Returns the token ids of each sentence, without special tokens.

        A progress bar is shown if there are many sentences.

        Args:
            sentences: N strings.

        Returns:
            N arrays (L,) int64, where L is the number of subwords of a sentence.
        """
        if len(sentences) > _CHUNK:
            ids: list[np.ndarray] = []
            with Progress(total=len(sentences), unit="texts", what="finding subwords") as progress:
                for start in range(0, len(sentences), _CHUNK):
                    chunk = sentences[start : start + _CHUNK]
                    ids += self.encode(chunk)
                    progress.update(len(chunk))
            return ids
        numbers, lengths = self._subwords.encode(sentences)
        return np.split(self._ids[numbers], np.cumsum(lengths)[:-1]) if len(lengths) else []

    def encode_words(
        self, sentences: Sequence[Sequence[str]], as_written: bool = False
    ) -> list[WordPieces]:
        """Returns the token ids of sentences that are split into words, and the word of each id.

        A subword never spans two words that white space separates, so the ids are those of
        ``encode`` for the words joined by spaces. A word that the tokenizer drops, such as a
        control character, has no ids.

        Args:
            sentences: N sentences, each a list of words.
            as_written: encode the words of scripts without spaces as ``RunningText`` does.

        Raises:
            UserError: ``as_written`` is asked of a WordPiece vocabulary.
        """
        written = self._running_text if as_written else None
        flat = self.encode([word for words in sentences for word in words])
        result = []
        start = 0
        for words in sentences:
            pieces = flat[start : start + len(words)]
            start += len(words)
            if written is not None:
                pieces = written(words, pieces)
            lengths = [len(ids) for ids in pieces]
            ids = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
            result.append(WordPieces(ids, np.repeat(np.arange(len(words)), lengths)))
        return result
