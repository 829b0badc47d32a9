"""From raw text to the token ids a model was trained on: SentencePiece or WordPiece, then fairseq's
dictionary.

The result equals what ``fairseq-preprocess`` stores for text that is encoded so, without the
closing ``</s>``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.progress import Progress
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME, Subwords, find_tokenizer

__all__ = ["DICTIONARY_NAME", "Tokenizer", "WordPieces"]

_CHUNK = 1 << 16  # sentences; more than `embedding` has at a time, which has a bar of its own


class WordPieces(NamedTuple):
    """One sentence: the ids of its subwords, and for each the index of its word, (L,) int64."""

    ids: np.ndarray
    words: np.ndarray


class Tokenizer:
    """Encodes text into subwords and looks them up in a dictionary."""

    def __init__(self, subwords: Subwords, dictionary):
        """Takes what encodes text, and a fairseq Dictionary."""
        self._subwords = subwords
        ids = [dictionary.index(piece or "<unk>") for piece in subwords.pieces]
        self._ids = np.array(ids, dtype=np.int64)

    @classmethod
    def load(cls, data: str | Path, dictionary) -> Tokenizer:
        """Reads the SentencePiece model or the WordPiece vocabulary of a data folder.

        Raises:
            UserError: a package or both files are missing, or a file is not what its name says.
        """
        return cls(find_tokenizer(Path(data)).load(), dictionary)

    def encode(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """The ids of each sentence, without special tokens, with a progress bar where there are
        many."""
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

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
        """The ids of sentences given as words, and the word of each id.

        A piece never spans two words of a whitespace-split text, so the ids are those of `encode`
        on the words joined by spaces; a word that is dropped, as a control character, has no ids.
        """
        flat = self.encode([word for words in sentences for word in words])
        result = []
        start = 0
        for words in sentences:
            pieces = flat[start : start + len(words)]
            start += len(words)
            lengths = [len(ids) for ids in pieces]
            ids = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
            result.append(WordPieces(ids, np.repeat(np.arange(len(words)), lengths)))
        return result
