"""WordPiece, which encodes text exactly as BertTokenizer does.

The package tokenizers encodes the strings between spaces, and their ids are kept, because words
return often: 163,000 sentences in ten languages took 5.2 s, against 14.3 s for whole lines in the
package itself. The ids are the same, because no rule of BERT looks across a space.
"""

from __future__ import annotations

import re
from array import array
from typing import Container, Sequence

import numpy as np

from fairseq_amber.tokenizers.added_tokens import AddedTokens, import_tokenizers
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN
from fairseq_amber.tokenizers.offsets import PlacedSubwords, join, with_marks
from fairseq_amber.tokenizers.wordpiece_files import WordPieceFiles

INSIDE = "##"  # begins a piece that does not begin a word
_MAX_WORD = 100  # characters; longer words are [UNK], as in BERT
# The most common characters, in text without spaces, each of which is a word for BERT.
_IDEOGRAPH = "\u3001\u3002\u300c\u300d\u3400-\u4dbf\u4e00-\u9fff"
_IDEOGRAPHS = re.compile(f"[{_IDEOGRAPH}]|[^{_IDEOGRAPH}]+")
_CACHED_CHARACTERS = 32  # longer strings hardly occur twice
_CACHED_STRINGS = 1 << 18  # they take about 50 MB


class WordPiece:
    """A tokenizer with a WordPiece vocabulary.

    It encodes text as BertTokenizer does with ``split_special_tokens``: a string in a text that
    looks like a special token, such as ``[SEP]``, is text. Tokens that were added are found.

    Attributes:
        pieces: (V,) the token of each line of vocab.txt; None for special tokens and for lines
            that name no token. Added tokens that vocab.txt lacks follow.
        order: the order of the tokens in fairseq.
    """

    def __init__(self, files: WordPieceFiles):
        tokenizers = import_tokenizers("WordPiece needs")
        settings = files.settings
        self.order = files.order
        self._tokens = files.tokens
        self.pieces: list[str | None] = [None] * (1 + max(files.tokens.values(), default=-1))
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
        self._decoder = tokenizers.decoders.WordPiece(prefix=INSIDE, cleanup=True)
        self._added = AddedTokens(settings.added, self.pieces, lambda: self._tokenizer.normalizer)
        self._strings = _EncodedStrings(self._tokenizer, settings.tokenize_chinese_chars)

    @property
    def listed(self) -> list[str]:
        """The symbols that dict.txt lists."""
        return self.order.listed

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes lines; see ``Subwords.encode``."""
        return self._added.encode(lines, self._encode)

    def _encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        strings = self._strings
        numbers = array("i")
        lengths = np.empty(len(lines), dtype=np.int64)
        for i, line in enumerate(lines):
            before = len(numbers)
            for string in line.split(" "):  # no rule of BERT looks across a space
                numbers += strings[string]
            lengths[i] = len(numbers) - before
        return np.array(numbers, dtype=np.int32), lengths

    def beginnings_of_unknown(self, lines: Sequence[str]) -> np.ndarray:
        """Finds the pieces with which words begin that become ``[UNK]``; see ``Subwords``."""
        return self._added.encode(lines, self._begin_unknown)[0]

    def _begin_unknown(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        numbers = array("i")
        lengths = np.empty(len(lines), dtype=np.int64)
        for i, line in enumerate(lines):
            before = len(numbers)
            text = self._tokenizer.normalizer.normalize_str(line)
            for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(text):
                pieces, whole = longest_matches(word, self._tokens)
                if not whole and len(word) <= _MAX_WORD:
                    numbers.extend(self._tokens[piece] for piece in pieces)
            lengths[i] = len(numbers) - before
        return np.array(numbers, dtype=np.int32), lengths

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """Encodes texts, and says where in its text each piece stands.

        If one character becomes several pieces, each of them stands for the whole character.
        Combining marks that the normalisation drops belong to the piece before them.
        """
        return self._added.encode_with_offsets(texts, self._encode_with_offsets)

    def _encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        return join([self._placed(text) for text in texts])

    def _placed(self, text: str) -> PlacedSubwords:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        numbers = np.array(encoded.ids, np.int32)
        offsets = np.array(encoded.offsets, np.int32).reshape(-1, 2)
        return PlacedSubwords(numbers, np.array([len(numbers)]), with_marks(text, offsets))

    def decode(self, pieces: Sequence[str]) -> str:
        """Joins pieces to text, with the spaces that BertTokenizer puts between them."""
        return self._decoder.decode(list(pieces))


def longest_matches(word: str, known: Container[str]) -> tuple[list[str], bool]:
    """Cuts a word as WordPiece does: the longest known beginning first, then the rest.

    Args:
        word: the word; ``##`` in front says that it goes on with another.
        known: the pieces.

    Returns:
        The pieces up to where none is known, and whether they are the whole word.
    """
    inside = word.startswith(INSIDE) and len(word) > len(INSIDE)
    text = word[len(INSIDE) :] if inside else word
    pieces: list[str] = []
    start = 0
    while start < len(text):
        prefix = INSIDE if inside or start else ""
        for end in range(len(text), start, -1):
            if prefix + text[start:end] in known:
                pieces.append(prefix + text[start:end])
                start = end
                break
        else:
            return pieces, False
    return pieces, True


class _EncodedStrings(dict):
    """The numbers of the pieces of strings without spaces; short strings are kept."""

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
