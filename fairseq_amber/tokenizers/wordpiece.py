"""WordPiece: text encoded as BertTokenizer does."""

from __future__ import annotations

import re
from array import array
from typing import Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN
from fairseq_amber.tokenizers.offsets import PlacedSubwords, join, with_marks
from fairseq_amber.tokenizers.wordpiece_files import WordPieceFiles

_MAX_WORD = 100  # characters; longer words are [UNK], as in BERT
# of the characters that BERT sets apart, the common ones of text without spaces
_IDEOGRAPH = "\u3001\u3002\u300c\u300d\u3400-\u4dbf\u4e00-\u9fff"
_IDEOGRAPHS = re.compile(f"[{_IDEOGRAPH}]|[^{_IDEOGRAPH}]+")
_CACHED_CHARACTERS = 32  # longer strings hardly occur twice
_CACHED_STRINGS = 1 << 18  # some 50 MB


class WordPiece:
    """Encodes text as BertTokenizer does, with ``split_special_tokens``: what looks like a special
    token in a text, as ``[SEP]``, is text.

    pieces: (V,) None for the special tokens, and where a line of vocab.txt names no token.
    order: of the pieces in fairseq.
    """

    def __init__(self, files: WordPieceFiles):
        tokenizers = _tokenizers()
        settings = files.settings
        self.order = files.order
        self.pieces: list[str | None] = [None] * files.rows
        for token, row in files.tokens.items():
            self.pieces[row] = None if token in settings.specials else token
        self._tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordPiece(
                files.tokens,
                unk_token=settings.specials[UNKNOWN],
                max_input_chars_per_word=_MAX_WORD,
            )
        )
        self._tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=settings.tokenize_chinese_chars,
            strip_accents=settings.strip_accents,
            lowercase=settings.do_lower_case,
        )
        self._tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        self._decoder = tokenizers.decoders.WordPiece(prefix="##", cleanup=True)
        self._strings = _EncodedStrings(self._tokenizer, settings.tokenize_chinese_chars)

    @property
    def listed(self) -> list[str]:
        """The symbols that dict.txt lists."""
        return self.order.listed

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the pieces of all lines, end to end, and (lines,) how many each has."""
        strings = self._strings
        numbers = array("i")
        lengths = np.empty(len(lines), dtype=np.int64)
        for i, line in enumerate(lines):
            before = len(numbers)
            for string in line.split(" "):  # no rule of BERT's looks across a space
                numbers += strings[string]
            lengths[i] = len(numbers) - before
        return np.array(numbers, dtype=np.int32), lengths

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """The numbers of the pieces of all texts, and where in its text each piece stands.

        Pieces of a character that normalisation made several of stand for all of it; combining
        marks that it dropped belong to the piece before them.
        """
        return join([self._placed(text) for text in texts])

    def _placed(self, text: str) -> PlacedSubwords:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        numbers = np.array(encoded.ids, np.int32)
        offsets = np.array(encoded.offsets, np.int32).reshape(-1, 2)
        return PlacedSubwords(numbers, np.array([len(numbers)]), with_marks(text, offsets))

    def decode(self, pieces: Sequence[str]) -> str:
        """Text, with the spaces that BertTokenizer puts between pieces."""
        return self._decoder.decode(list(pieces))


class _EncodedStrings(dict):
    """The numbers of the pieces of strings without spaces, kept for those that will come again."""

    def __init__(self, tokenizer, splits_ideographs: bool):
        super().__init__()
        self._tokenizer = tokenizer
        self._splits_ideographs = splits_ideographs

    def __missing__(self, string: str) -> array:
        parts = _IDEOGRAPHS.findall(string) if self._splits_ideographs else [string]
        if len(parts) > 1:
            numbers = array("i")
            for part in parts:
                numbers += self[part]
        else:
            numbers = array("i", self._tokenizer.encode(string, add_special_tokens=False).ids)
        if len(string) <= _CACHED_CHARACTERS:
            if len(self) >= _CACHED_STRINGS:
                self.clear()
            self[string] = numbers
        return numbers


def _tokenizers():
    try:
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers

        import tokenizers
    except ImportError:
        raise UserError("WordPiece needs the tokenizers package; pip install tokenizers") from None
    return tokenizers
