"""Text to numbers of subwords, by a SentencePiece model or a WordPiece vocabulary."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers import protobuf
from fairseq_amber.tokenizers.fairseq_order import SPECIALS
from fairseq_amber.tokenizers.offsets import PlacedSubwords, from_bytes, join
from fairseq_amber.tokenizers.wordpiece import WordPiece
from fairseq_amber.tokenizers.wordpiece_files import (
    CONFIG_NAME,
    JSON_NAME,
    VOCAB_NAME,
    parse_wordpiece,
    read_wordpiece,
)

MODEL_NAME = "sentencepiece.bpe.model"
DICTIONARY_NAME = "dict.txt"
SPACE = "\u2581"  # what SentencePiece has for the space before a word

# The numbers of sentencepiece.proto: fields of SentencePieceText and of its pieces.
_PIECES, _ID, _BEGIN, _END = 2, 2, 4, 5


class Subwords(Protocol):
    """What encodes text. pieces: (V,) those that text can become, None for the special ones."""

    pieces: list[str | None]

    @property
    def listed(self) -> list[str]:
        """The symbols of a dict.txt made for these pieces."""

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the pieces of all lines, end to end, and (lines,) how many each has."""

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """The same, and where in its text each piece stands."""


class SentencePiece:
    """A SentencePiece model."""

    def __init__(self, model: bytes, name: str = MODEL_NAME):
        processor = import_sentencepiece().SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(model)
        except RuntimeError:
            raise UserError(f"{name} is no SentencePiece model") from None
        self._processor = processor
        self.pieces: list[str | None] = [
            None if processor.IsUnknown(i) or processor.IsControl(i) else processor.IdToPiece(i)
            for i in range(processor.GetPieceSize())
        ]
        self._bare = np.array(
            [piece is not None and not piece.strip(SPACE) for piece in self.pieces]
        )

    @property
    def listed(self) -> list[str]:
        """The pieces in the model's order without the special ones: XLM-R's recipe."""
        return [piece for piece in self.pieces if piece is not None and piece not in SPECIALS]

    def encode(self, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the pieces of all lines, end to end, and (lines,) how many each has."""
        encoded = self._processor.Encode(list(lines), out_type=int, num_threads=1)
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        flat = chain.from_iterable(encoded)
        return np.fromiter(flat, dtype=np.int32, count=lengths.sum()), lengths

    def encode_with_offsets(self, texts: Sequence[str]) -> PlacedSubwords:
        """The numbers of the pieces of all texts, and where in its text each piece stands.

        Pieces of a character that normalisation made several of, as of a ligature, stand for all
        of it; a bare U+2581 stands, without any width, before the character that follows.
        """
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
    """files: contents, by the names that they have in a data folder. origin: where they are from,
    for errors. dictionary: the dict.txt that belongs to them, if one is there."""

    files: dict[str, bytes]
    origin: str
    dictionary: Path | None = None

    def load(self) -> Subwords:
        """What encodes text by these files.

        Raises:
            UserError: a package is missing, or they are not what their names say.
        """
        if MODEL_NAME in self.files:
            return SentencePiece(self.files[MODEL_NAME], self.origin)
        config = self.files.get(CONFIG_NAME, b"{}")
        return WordPiece(parse_wordpiece(self.files[VOCAB_NAME], config, self.origin))


def find_tokenizer(path: Path) -> TokenizerFiles:
    """A SentencePiece model, a WordPiece vocabulary (``*.txt`` or tokenizer.json), or the one of a
    folder, with its dict.txt.

    Raises:
        UserError: there is none, a folder holds both, or a file cannot be read.
    """
    dictionary = None
    if path.is_dir():
        if (path / DICTIONARY_NAME).is_file():
            dictionary = path / DICTIONARY_NAME
        path = _tokenizer_of(path)
    if path.suffix in (".txt", ".json"):
        wordpiece = read_wordpiece(path)
        return TokenizerFiles(wordpiece.contents, wordpiece.source, dictionary)
    try:
        return TokenizerFiles({MODEL_NAME: path.read_bytes()}, str(path), dictionary)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def _tokenizer_of(folder: Path) -> Path:
    found = [name for name in (MODEL_NAME, VOCAB_NAME) if (folder / name).is_file()]
    if len(found) > 1:
        raise UserError(f"{folder} holds both {MODEL_NAME} and {VOCAB_NAME}; remove one")
    if not found and (folder / JSON_NAME).is_file():  # all that newer versions of BERT's have
        found = [JSON_NAME]
    if not found:
        raise UserError(
            f"{folder} holds neither {MODEL_NAME} nor {VOCAB_NAME}; --data or --tokenizer must "
            "name what holds one"
        )
    return folder / found[0]


def import_sentencepiece():
    """The package.

    Raises:
        UserError: it is missing.
    """
    try:
        import sentencepiece
    except ImportError:
        raise UserError("SentencePiece is missing; pip install sentencepiece") from None
    return sentencepiece
