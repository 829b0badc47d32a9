"""Adds subwords to a model; each starts as the mean of the subwords it was cut into before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Sequence

import torch
from torch import Tensor

from fairseq_amber.convert.pretrained import EMBEDDING, OUTPUT_BIAS, OUTPUT_WEIGHT, Pretrained
from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.convert.vocabulary import Vocabulary, shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, UNKNOWN
from fairseq_amber.tokenizers.subwords import MODEL_NAME, SPACE
from fairseq_amber.tokenizers.wordpiece import longest_matches
from fairseq_amber.tokenizers.wordpiece_files import CONFIG_NAME, VOCAB_NAME, parse_wordpiece


def extend_vocabulary(model: Pretrained, path: Path) -> tuple[Pretrained, int]:
    """Adds the subwords of a file that the vocabulary of a model lacks.

    The embedding row of a new subword is the mean of the rows of the subwords that the old
    tokenizer cuts it into (Hewitt 2021); ``<unk>`` is left out unless all of them are ``<unk>``.
    The output bias of the new subword is the mean of theirs in the same way.

    Args:
        model: the model.
        path: a file with one subword per line, as the tokenizer spells it. The text after a tab is
            ignored, so that a ``.vocab`` file of SentencePiece works.

    Returns:
        The larger model, and the number of subwords that were added.

    Raises:
        UserError: the file cannot be read, has no new subword, or a line is not a subword.
    """
    vocabulary = model.vocabulary
    old = set(vocabulary.symbols)
    new = [piece for piece in _listed(path) if piece not in old]
    if not new:
        raise UserError(f"{path} lists no subword that {vocabulary.source} does not have")
    cut, files = (_wordpiece if vocabulary.wordpiece else _sentencepiece)(vocabulary, new, path)
    indices = {symbol: index for index, symbol in enumerate(vocabulary.symbols)}
    rows = []
    for parts in cut:
        known = [indices.get(part, UNKNOWN) for part in parts if part is not None]
        rows.append([index for index in known if index != UNKNOWN] or [UNKNOWN])

    # before <mask>, if that is the last symbol, because fairseq puts it at the end again
    end = len(vocabulary.symbols) - (vocabulary.symbols[-1] == MASK)

    def widened(table: Tensor) -> Tensor:
        means = torch.stack([table[row].mean(dim=0) for row in rows])
        return torch.cat([table[:end], means, table[end:]])

    weights = dict(model.weights)
    for name in (EMBEDDING, OUTPUT_BIAS):
        weights[name] = widened(weights[name])
    del weights[OUTPUT_WEIGHT]  # tied
    symbols = [*vocabulary.symbols[:end], *new, *vocabulary.symbols[end:]]
    larger = Vocabulary(symbols, {**vocabulary.files, **files}, f"{vocabulary.source} and {path}")
    return replace(model, weights=weights, vocabulary=larger).checked(), len(new)


def _listed(path: Path) -> list[str]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8") from None
    pieces = {}
    for number, line in enumerate(text.split("\n"), 1):
        piece = line.rstrip("\r").split("\t")[0]
        if not piece and not line.strip():
            continue
        if not piece or len(piece.split()) != 1 or piece != piece.strip():
            raise UserError(
                f"{path}:{number}: {piece!r} is not a subword; one per line, without spaces"
            )
        pieces[piece] = number
    return list(pieces)


def _sentencepiece(
    vocabulary: Vocabulary, new: Sequence[str], path: Path
) -> tuple[list[list[str | None]], dict[str, bytes]]:
    model = SentencePieceModel(vocabulary.files[MODEL_NAME], MODEL_NAME)
    wrong = [piece for piece in new if SPACE in piece[1:] or not _is_normal(model, piece)]
    if wrong:
        raise UserError(
            f"{path} lists pieces that never occur in text that SentencePiece has normalised: "
            f"{shorten(wrong)}; list pieces as a SentencePiece model has them"
        )
    return [model.segment(piece) for piece in new], {MODEL_NAME: model.extended(new)}


def _is_normal(model: SentencePieceModel, piece: str) -> bool:
    return model.normalized(piece.lstrip(SPACE)) == SPACE + piece.lstrip(SPACE)


def _wordpiece(
    vocabulary: Vocabulary, new: Sequence[str], path: Path
) -> tuple[list[list[str | None]], dict[str, bytes]]:
    known = set(vocabulary.symbols[len(SPECIALS) :])
    data = vocabulary.files[VOCAB_NAME]
    if data and not data.endswith(b"\n"):
        data += b"\n"
    lines = data.count(b"\n")
    data += "".join(f"{piece}\n" for piece in new).encode("utf-8")
    files = {VOCAB_NAME: data}
    if CONFIG_NAME in vocabulary.files:
        # added tokens are numbered after the lines of vocab.txt, of which there are more now
        settings = parse_wordpiece(
            vocabulary.files[VOCAB_NAME], vocabulary.files[CONFIG_NAME], vocabulary.source
        ).settings
        moved = (
            token._replace(number=token.number + len(new)) if token.number >= lines else token
            for token in settings.added
        )
        files[CONFIG_NAME] = settings._replace(added=tuple(moved)).encode()
    cuts = (longest_matches(piece, known) for piece in new)
    return [[*pieces] if whole else [None] for pieces, whole in cuts], files
