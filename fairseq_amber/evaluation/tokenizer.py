"""From raw text to the token ids a model was trained on: SentencePiece, then fairseq's dictionary.

The result equals what ``fairseq-preprocess`` stores for SentencePiece-encoded text, without the
closing ``</s>``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError

MODEL_NAME = "sentencepiece.bpe.model"
DICTIONARY_NAME = "dict.txt"


class WordPieces(NamedTuple):
    """One sentence: the ids of its subwords, and for each the index of its word, (L,) int64."""

    ids: np.ndarray
    words: np.ndarray


class Tokenizer:
    """Encodes text with one SentencePiece model and looks the pieces up in a dictionary."""

    def __init__(self, processor, dictionary):
        """Takes a loaded SentencePieceProcessor and a fairseq Dictionary."""
        self._processor = processor
        pieces = (processor.IdToPiece(i) for i in range(processor.GetPieceSize()))
        self._ids = np.array([dictionary.index(piece) for piece in pieces], dtype=np.int64)

    @classmethod
    def load(cls, data: str | Path, dictionary) -> Tokenizer:
        """Reads the SentencePiece model of a data folder.

        Raises:
            UserError: the package or the model is missing, or the file is no SentencePiece model.
        """
        try:
            import sentencepiece
        except ImportError:
            raise UserError("SentencePiece is missing; pip install sentencepiece") from None
        path = Path(data, MODEL_NAME)
        if not path.is_file():
            raise UserError(
                f"{path} is missing; give the folder of the model's {DICTIONARY_NAME} and "
                f"{MODEL_NAME} with --data"
            )
        try:
            processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError):
            raise UserError(f"{path} is no SentencePiece model") from None
        return cls(processor, dictionary)

    def encode(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """The ids of each sentence, without special tokens."""
        encoded = self._processor.Encode(list(sentences), out_type=int)
        return [self._ids[np.array(ids, dtype=np.int64)] for ids in encoded]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
        """The ids of sentences given as words, and the word of each id.

        A piece never spans two words of a whitespace-split text, so the ids are those of `encode`
        on the words joined by spaces; a word that SentencePiece drops has no ids.
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
