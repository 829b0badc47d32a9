"""Cuts text into numbered subwords, with a SentencePiece model or a WordPiece vocabulary."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import encode_json, parse_json, read_bytes
from fairseq_amber.tokenizers import protobuf
from fairseq_amber.tokenizers.added_token_files import (
    CONFIG_NAME,
    JSON_NAME,
    AddedToken,
    encode_added_tokens,
    parse_added_tokens,
    read_added_tokens,
)
from fairseq_amber.tokenizers.added_tokens import AddedTokens, import_tokenizers
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, fits_dictionary
from fairseq_amber.tokenizers.offsets import PlacedSubwords, from_bytes, join
from fairseq_amber.tokenizers.wordpiece import WordPiece
from fairseq_amber.tokenizers.wordpiece_files import (
    VOCAB_NAME,
    parse_wordpiece,
    read_wordpiece,
)

MODEL_NAME = "sentencepiece.bpe.model"
DICTIONARY_NAME = "dict.txt"
SPACE = "\u2581"  # SentencePiece's sign for the space before a word

# Field numbers of sentencepiece.proto: in SentencePieceText, and in its pieces.
_PIECES, _ID, _BEGIN, _END = 2, 2, 4, 5
# Field numbers of sentencepiece_model.proto: in ModelProto, and in its NormalizerSpec.
_NORMALIZER, _CHARSMAP = 3, 2


class Subwords(Protocol):
    """A tokenizer.

    Attributes:
        pieces: (V,) the pieces that text can become; None for special tokens.
    """

    pieces: list[str | None]

    @property
    def listed(self) -> list[str]:
        """The symbols of a dict.txt for these pieces."""

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes lines.

        Returns:
            (n,) int32, the numbers of the pieces of all lines end to end, and (lines,) int64, the
            number of pieces of each line.
        """

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """Encodes texts, and says where in its text each piece stands."""

    def beginnings_of_unknown(self, lines: Sequence[str]) -> np.ndarray:
        """Finds the pieces with which words of lines begin that become unknown as a whole.

        WordPiece cuts a word until no piece fits, and then the word is unknown: without the pieces
        before that place, it might be cut in another way.

        Returns:
            (n,) int32, the numbers of these pieces.
        """


class SentencePiece:
    """A tokenizer with a SentencePiece model.

    Args:
        model: the content of the model file.
        name: the name of the file in error messages.
        added: tokens that were added after the model had been learnt.

    Raises:
        UserError: ``model`` is not a SentencePiece model, or a package is missing.
    """

    def __init__(self, model: bytes, name: str = MODEL_NAME, added: Sequence[AddedToken] = ()):
        processor = import_sentencepiece().SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(model)
        except RuntimeError:
            raise UserError(f"{name} is not a SentencePiece model") from None
        self._processor = processor
        self.pieces: list[str | None] = [
            None if processor.IsUnknown(i) or processor.IsControl(i) else processor.IdToPiece(i)
            for i in range(processor.GetPieceSize())
        ]
        self._added = AddedTokens(added, self.pieces, lambda: _normalizer(model))
        self._bare = np.array(
            [piece is not None and not piece.strip(SPACE) for piece in self.pieces]
        )

    @property
    def listed(self) -> list[str]:
        """The pieces in the model's order, without the special ones, as for XLM-R."""
        return [
            piece
            for piece in self.pieces
            if piece is not None and piece not in SPECIALS and fits_dictionary(piece)
        ]

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encodes lines; see ``Subwords.encode``."""
        return self._added.encode(lines, self._encode)

    def _encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        encoded = self._processor.Encode(list(lines), out_type=int, num_threads=1)
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        flat = chain.from_iterable(encoded)
        return np.fromiter(flat, dtype=np.int32, count=lengths.sum()), lengths

    def beginnings_of_unknown(self, lines: Sequence[str]) -> np.ndarray:
        """Returns no pieces, because single characters are unknown here; see ``Subwords``."""
        return np.zeros(0, np.int32)

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """Encodes texts, and says where in its text each piece stands.

        If one character, such as a ligature, becomes several pieces, each of them stands for the
        whole character. A piece U+2581 alone stands, with width 0, before the next character.
        """
        return self._added.encode_with_offsets(texts, self._encode_with_offsets)

    def _encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        encoded = self._processor.Encode(list(texts), out_type="serialized_proto", num_threads=1)
        return join([self._placed(text, proto) for text, proto in zip(texts, encoded)])

    def _placed(self, text: str, proto: bytes) -> PlacedSubwords:
        message = protobuf.parse(proto)
        pieces = [protobuf.parse(piece) for piece in message.get(_PIECES, [])]
        fields = [piece[field][-1] for field in (_ID, _BEGIN, _END) for piece in pieces]
        numbers, begins, ends = np.array(fields, np.int32).reshape(3, -1)
        offsets = from_bytes(text, begins, ends, ~self._bare[numbers])
        return PlacedSubwords(numbers, np.array([len(numbers)]), offsets)


class TokenizerFiles(NamedTuple):
    """The files of a tokenizer.

    Attributes:
        files: their contents, by the names that they have in a data folder.
        origin: where they come from, for error messages.
        dictionary: the dict.txt beside them, if there is one.
    """

    files: dict[str, bytes]
    origin: str
    dictionary: Path | None = None

    def load(self) -> Subwords:
        """Makes the tokenizer.

        Raises:
            UserError: a package is missing, or a file is not what its name says.
        """
        config = self.files.get(CONFIG_NAME, b"{}")
        if MODEL_NAME in self.files:
            added = added_to_sentencepiece(config, self.origin)
            return SentencePiece(self.files[MODEL_NAME], self.origin, added)
        return WordPiece(parse_wordpiece(self.files[VOCAB_NAME], config, self.origin))


def find_tokenizer(path: Path) -> TokenizerFiles:
    """Reads the files of a tokenizer.

    Args:
        path: a SentencePiece model, a WordPiece vocabulary (``*.txt`` or tokenizer.json), or a
            folder that holds one of them and may hold its dict.txt.

    Raises:
        UserError: there is no tokenizer, a folder holds two of them, or a file cannot be read.
    """
    dictionary = None
    if path.is_dir():
        if (path / DICTIONARY_NAME).is_file():
            dictionary = path / DICTIONARY_NAME
        path = _tokenizer_of(path)
    if path.suffix in (".txt", ".json"):
        wordpiece = read_wordpiece(path)
        return TokenizerFiles(wordpiece.contents, wordpiece.source, dictionary)
    files = {MODEL_NAME: read_bytes(path)}
    if path.name == MODEL_NAME:
        added = read_added_tokens(path.parent, (*SPECIALS, MASK))
        files.update(added_tokens_file(added))
    return TokenizerFiles(files, str(path), dictionary)


def _tokenizer_of(folder: Path) -> Path:
    found = [name for name in (MODEL_NAME, VOCAB_NAME) if (folder / name).is_file()]
    if len(found) > 1:
        raise UserError(f"{folder} holds both {MODEL_NAME} and {VOCAB_NAME}; remove one")
    if not found and (folder / JSON_NAME).is_file():  # newer copies of BERT have only this file
        found = [JSON_NAME]
    if not found:
        raise UserError(
            f"{folder} holds neither {MODEL_NAME} nor {VOCAB_NAME}; --data or --tokenizer must "
            "name a folder or file with one"
        )
    return folder / found[0]


def added_tokens_file(added: Sequence[AddedToken]) -> dict[str, bytes]:
    """Returns the file that keeps added tokens beside a SentencePiece model, if there are any."""
    return {CONFIG_NAME: encode_json(encode_added_tokens(added))} if added else {}


def added_to_sentencepiece(config: bytes, source: str) -> tuple[AddedToken, ...]:
    """Reads the content of the file that ``added_tokens_file`` makes."""
    message = f"{CONFIG_NAME} beside {source} is damaged: it is not a JSON object; fetch it again"
    return parse_added_tokens((*SPECIALS, MASK), source, {}, parse_json(config, message), {})


def _normalizer(model: bytes) -> Any:
    """Returns the normaliser of a SentencePiece model, of the package tokenizers."""
    settings = protobuf.parse(b"".join(protobuf.parse(model).get(_NORMALIZER, [])))
    charsmap = b"".join(settings.get(_CHARSMAP, [])[-1:])
    tokenizers = import_tokenizers("added tokens need")
    return tokenizers.normalizers.Precompiled(charsmap) if charsmap else None


def import_sentencepiece():
    """Returns the module ``sentencepiece``.

    Raises:
        UserError: the package is missing.
    """
    try:
        import sentencepiece
    except ImportError:
        raise UserError("SentencePiece is missing; pip install sentencepiece") from None
    return sentencepiece
