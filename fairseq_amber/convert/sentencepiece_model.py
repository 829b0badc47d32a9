"""Reads SentencePiece's model files, adds pieces to them, and leaves pieces out."""

from __future__ import annotations

import base64
import struct
from functools import cached_property
from pathlib import Path
from typing import Any, Collection, Iterable, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers import protobuf
from fairseq_amber.tokenizers.added_token_files import parse_added_tokens
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS
from fairseq_amber.tokenizers.subwords import SPACE, import_sentencepiece

# Field numbers of ModelProto in sentencepiece_model.proto.
_PIECES, _TRAINING, _NORMALIZER, _SELF_TEST = 1, 2, 3, 4
# Field numbers of a piece, and the kinds of pieces.
_PIECE, _SCORE, _KIND = 1, 2, 3
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3
# Field numbers of TrainerSpec, and the types of models.
_MODEL_TYPE, _VOCAB_SIZE, _WHITESPACE_AS_SUFFIX = 3, 4, 24
_UNIGRAM, _BPE = 1, 2
# Field numbers of NormalizerSpec. Its flags are true by default: add a space in front, merge
# spaces, and turn a space into U+2581.
_NAME, _CHARSMAP = 1, 2
_NORMALIZER_FLAGS = 3, 4, 5

_UNKNOWN_PENALTY = 10.0  # SentencePiece's kUnkPenalty


class SentencePieceModel:
    """The content of a SentencePiece model file.

    Attributes:
        pieces: the pieces that text can be encoded with, in the model's order.
        scores: for each piece, its log-probability (unigram) or minus the rank of its merge (BPE).
        unigram: whether it is a unigram model.
        charsmap: how text is normalised, in SentencePiece's own format.
        name: the name of the file, for error messages.
    """

    def __init__(self, data: bytes, name: str):
        """Reads the content of a file.

        Args:
            data: the content.
            name: the name of the file, for error messages.

        Raises:
            UserError: ``data`` is not a SentencePiece model.
        """
        try:
            message = protobuf.parse(data)
            listed = [_piece(protobuf.parse(piece)) for piece in message.get(_PIECES, [])]
            self._training, self._normalizer = (
                protobuf.parse(b"".join(message.get(part, []))) for part in (_TRAINING, _NORMALIZER)
            )
        except (ValueError, LookupError, TypeError, AttributeError, struct.error):
            raise UserError(f"{name} is not a SentencePiece model") from None
        self._kinds = {kind for _, _, kind in listed}
        self.scores = {p: score for p, score, kind in listed if kind not in (_UNKNOWN, _CONTROL)}
        if not self.scores:
            raise UserError(f"{name} is not a SentencePiece model: it has no pieces")
        self.pieces = list(self.scores)
        self.unigram = self._training.get(_MODEL_TYPE, [_UNIGRAM])[-1] == _UNIGRAM
        self.charsmap = b"".join(self._normalizer.get(_CHARSMAP, [])[-1:])
        self.name = name
        self._data = data
        self._message = message
        self._listed = listed
        self._longest = max(map(len, self.pieces))
        self._unknown = min(self.scores.values()) - _UNKNOWN_PENALTY

    def segment(self, text: str) -> list[str | None]:
        """Cuts a normalised text into the most likely pieces, with the Viterbi algorithm.

        Args:
            text: the text, with U+2581 for spaces.

        Returns:
            The pieces; None for a character that no piece has.
        """
        # For each end: the score of the best pieces of the text before it, and where the last
        # of these pieces starts.
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(text) + 1):
            ways = [(best[end - 1][0] + self._unknown, end - 1)]
            for start in range(max(0, end - self._longest), end):
                score = self.scores.get(text[start:end])
                if score is not None:
                    ways.append((best[start][0] + score, start))
            best.append(max(ways))
        found: list[str | None] = []
        end = len(text)
        while end:
            start = best[end][1]
            found.append(text[start:end] if text[start:end] in self.scores else None)
            end = start
        return found[::-1]

    def extended(self, pieces: Sequence[str]) -> bytes:
        """Returns a model file with more pieces at its end.

        Each new piece is a little likelier than the pieces that it was cut into before, so that it
        takes their place everywhere.

        Raises:
            UserError: this BPE model cannot be extended, or the model has unusual settings.
        """
        self.check_plain()
        if not self.unigram:
            raise UserError(
                f"{self.name} is a BPE model, whose pieces come from merges: its vocabulary "
                "cannot be extended, that of a unigram model can"
            )
        added = []
        for piece in pieces:
            parts = self.segment(piece)
            score = sum(self._unknown if part is None else self.scores[part] for part in parts)
            added.append(_encoded_piece(piece, score + 1e-3))
        size = protobuf.field(_VOCAB_SIZE, len(self._listed) + len(pieces))
        return b"".join([self._data, *added, protobuf.field(_TRAINING, size)])

    def needed(self, used: Iterable[str]) -> set[str]:
        """Returns the pieces without which text that becomes the pieces ``used`` is cut otherwise.

        In a unigram model, the best of all cuts is the best of those that are left, and their
        scores are the same; that of unknown characters is the lowest score of all pieces less 10,
        so that the lowest piece is needed. A BPE model comes to a piece by merges of others, which
        are needed whichever way the merges go. Single characters are always needed, so that none
        becomes unknown, and so are pieces of other kinds, as those for bytes.
        """
        scores = {piece: score for piece, score, kind in self._listed if kind == _NORMAL}
        needed = {*used, *(piece for piece, _, kind in self._listed if kind != _NORMAL)}
        needed.update(piece for piece in scores if len(piece) - piece.startswith(SPACE) <= 1)
        needed.update(sorted(scores, key=scores.__getitem__)[:1])
        if self._training.get(_MODEL_TYPE, [_UNIGRAM])[-1] == _BPE:
            merged: dict[str, set[str]] = {}
            for parts in self.merges():
                merged.setdefault("".join(parts), set()).update(parts)
            left = list(needed)
            while left:
                more = merged.get(left.pop(), set()) - needed
                needed |= more
                left += more
        return needed

    def trimmed(self, kept: Collection[str]) -> bytes:
        """Returns a model file with the pieces ``kept`` alone, in their order, with their scores.

        A self-test, with which older versions of SentencePiece check a model, is left out: it holds
        cuts of the old vocabulary.
        """
        pieces = [
            protobuf.field(_PIECES, encoded)
            for encoded, (piece, _, kind) in zip(self._message[_PIECES], self._listed)
            if piece in kept or kind in (_UNKNOWN, _CONTROL)
        ]
        others = [
            protobuf.field(number, value)
            for number, values in self._message.items()
            for value in values
            if number not in (_PIECES, _SELF_TEST)
        ]
        size = protobuf.field(_VOCAB_SIZE, len(pieces))
        return b"".join([*pieces, *others, protobuf.field(_TRAINING, size)])

    def check_plain(self) -> None:
        """Checks that the settings are SentencePiece's defaults, as those of XLM-R are.

        Raises:
            UserError: a setting differs from the default.
        """
        flags = [self._normalizer.get(flag, [1])[-1] for flag in _NORMALIZER_FLAGS]
        if (
            self._kinds - {_NORMAL, _UNKNOWN, _CONTROL}
            or self._training.get(_MODEL_TYPE, [_UNIGRAM])[-1] not in (_UNIGRAM, _BPE)
            or self._training.get(_WHITESPACE_AS_SUFFIX, [0])[-1]
            or not all(flags)
        ):
            raise UserError(
                f"{self.name} was learnt with settings that cannot be converted: those about kinds "
                "of pieces and about white space must be SentencePiece's defaults, as XLM-R has "
                "them"
            )

    def normalized(self, text: str) -> str:
        """Normalises a line of text and adds U+2581 in front, as SentencePiece does."""
        return "".join(self._processor.EncodeAsPieces(text))

    @cached_property
    def _processor(self) -> Any:
        return import_sentencepiece().SentencePieceProcessor(model_proto=self._data)

    def merges(self) -> list[tuple[str, str]]:
        """Returns every way to cut a piece into two others, starting with the likeliest pieces."""
        known = self.scores
        return [
            (piece[:cut], piece[cut:])
            for piece in sorted(self.pieces, key=lambda piece: -self.scores[piece])
            for cut in range(1, len(piece))
            if piece[:cut] in known and piece[cut:] in known
        ]


def from_tokenizer_json(content: dict[str, Any], name: str) -> bytes:
    """Makes the SentencePiece model from which a tokenizer.json was made.

    Args:
        content: the content of tokenizer.json.
        name: the name of the file, for error messages.

    Raises:
        UserError: tokenizer.json was not made from a SentencePiece model, or its normalisation
            has other steps than XLM-R's.
    """
    model = content.get("model")
    model = model if isinstance(model, dict) else {}
    steps = _steps(content.get("normalizer"), name)
    others = [step for step in steps if step["type"] not in ("Precompiled", "Replace", "Strip")]
    if model.get("type") != "Unigram" or model.get("byte_fallback") or others:
        raise UserError(
            f"{name} is not a tokenizer of XLM-R's kind; put the sentencepiece.bpe.model beside it"
        )
    # a token that was added is found before the text is cut: it is no piece, even if it is listed
    added = {
        token.content for token in parse_added_tokens((), str(Path(name).parent), content, {}, {})
    }
    parts = [
        _encoded_piece("<unk>", 0.0, _UNKNOWN),
        _encoded_piece("<s>", 0.0, _CONTROL),
        _encoded_piece("</s>", 0.0, _CONTROL),
    ]
    for piece, score in scored_pieces(model.get("vocab"), name):
        if piece not in SPECIALS and piece != MASK and piece not in added:
            parts.append(_encoded_piece(piece, score))
    training = protobuf.field(_MODEL_TYPE, _UNIGRAM) + protobuf.field(_VOCAB_SIZE, len(parts))
    normalizer = protobuf.field(_NAME, "nmt_nfkc")
    for step in steps:
        if step["type"] == "Precompiled":
            normalizer += protobuf.field(_CHARSMAP, _charsmap(step, name))
    parts += [protobuf.field(_TRAINING, training), protobuf.field(_NORMALIZER, normalizer)]
    return b"".join(parts)


def scored_pieces(vocabulary: Any, name: str) -> list[tuple[str, float]]:
    """Checks the ``vocab`` of a tokenizer.json of the kind Unigram.

    Args:
        vocabulary: the pieces with their scores.
        name: the name of the file, for error messages.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(vocabulary, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and type(pair[1]) in (int, float)
        and abs(pair[1]) < 1e30  # a float of 32 bits
        for pair in vocabulary
    ):
        raise UserError(f"{name} is damaged: its vocab does not score pieces; fetch it again")
    return [(piece, float(score)) for piece, score in vocabulary]


def _steps(normalizer: Any, name: str) -> list[dict[str, Any]]:
    if normalizer is None:
        return []
    steps: Any = [normalizer]
    if isinstance(normalizer, dict) and normalizer.get("type") == "Sequence":
        steps = normalizer.get("normalizers")
    if not isinstance(steps, list) or not all(isinstance(s, dict) and "type" in s for s in steps):
        raise UserError(f"{name} is damaged: its normalizer has no type; fetch it again")
    return steps


def _charsmap(step: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(step["precompiled_charsmap"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{name} is damaged: its precompiled_charsmap is none") from None


def _piece(message: dict[int, Any]) -> tuple[str, float, int]:
    """Returns a piece, its score and its kind."""
    (score,) = struct.unpack("<f", message.get(_SCORE, [bytes(4)])[-1])
    return message[_PIECE][-1].decode("utf-8"), score, message.get(_KIND, [_NORMAL])[-1]


def _encoded_piece(piece: str, score: float, kind: int = _NORMAL) -> bytes:
    fields = (_PIECE, piece), (_SCORE, float(score)), (_KIND, kind)
    return protobuf.field(_PIECES, b"".join(protobuf.field(*each) for each in fields))
