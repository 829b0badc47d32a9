"""Leaves out of a model the subwords that the user's text does not use."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Container, NamedTuple, Sequence

import numpy as np
import torch

from fairseq_amber.convert.pretrained import EMBEDDING, OUTPUT_BIAS, OUTPUT_WEIGHT, Pretrained
from fairseq_amber.convert.sentencepiece_model import SentencePieceModel
from fairseq_amber.convert.used_text import count_pieces, lines_cut_otherwise, read_used_text
from fairseq_amber.convert.vocabulary import Vocabulary, shorten
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS
from fairseq_amber.tokenizers.subwords import (
    MODEL_NAME,
    Subwords,
    TokenizerFiles,
    added_to_sentencepiece,
)
from fairseq_amber.tokenizers.wordpiece import INSIDE
from fairseq_amber.tokenizers.wordpiece_files import CONFIG_NAME, VOCAB_NAME, parse_wordpiece

# What fairseq and ``fairseq_order`` call rows without a token.
_NO_TOKEN = re.compile(r"madeupword\d{4,}")


class Trimmed(NamedTuple):
    """A model whose vocabulary was trimmed.

    Attributes:
        model: the smaller model.
        notes: what the user should know: what was kept, and which lines are cut otherwise.
    """

    model: Pretrained
    notes: list[str]


def trim_vocabulary(
    model: Pretrained, paths: Sequence[Path], most: int | None, original: Vocabulary
) -> Trimmed:
    """Keeps the rows of the subwords that text uses (Abdaoui et al. 2020, Load What You Need).

    Special and added tokens, single characters, and what the tokenizer needs to cut the text as
    before are kept, too. The rows keep their order and values, so that the states of text and the
    scores of the subwords that are kept are the same.

    Args:
        model: the model.
        paths: the text; see ``read_used_text``.
        most: keep only so many of the used subwords, the most frequent; None keeps all.
        original: the vocabulary before it was extended, or else that of the model: subwords that it
            lacks are kept, and token ids are its.

    Raises:
        UserError: a text cannot be read, is of another vocabulary, or uses no subword.
    """
    vocabulary = model.vocabulary
    texts = [read_used_text(path, original, model.source) for path in paths]
    before = TokenizerFiles(vocabulary.files, vocabulary.source).load()
    used = _used(before, count_pieces(texts, before, original), most)
    used |= {*vocabulary.symbols} - {*original.symbols}
    needed, files = (_wordpiece if vocabulary.wordpiece else _sentencepiece)(vocabulary, used)
    pieces = {piece for piece in before.pieces if piece is not None}
    spare = {s for s in vocabulary.symbols if s not in pieces and _NO_TOKEN.fullmatch(s)}
    trimmed = _without(model, pieces.difference(needed, SPECIALS, [MASK]) | spare, files)

    sizes = len(trimmed.vocabulary.symbols), len(vocabulary.symbols)
    notes = ["kept {:,} of {:,} subwords".format(*sizes)]
    checked = [file for text in texts for file in text.files]
    if checked:
        after = TokenizerFiles(files, vocabulary.source).load()
        changed, total = lines_cut_otherwise(checked, before, after)
        notes[0] += f"; {changed:,} of {total:,} lines are cut otherwise"
    of_ids = [str(text.path) for text in texts if not text.files]
    if of_ids:
        notes.append(f"not checked: the cut of texts that are token ids already: {shorten(of_ids)}")
    if spare:
        notes.append(f"left out: {len(spare):,} rows of the embedding without a token")
    return Trimmed(trimmed, notes)


def _used(subwords: Subwords, counts: np.ndarray, most: int | None) -> set[str]:
    """Returns the pieces that occur, or the most frequent ones; of equals, the first."""
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)][:most]
    return {piece for number in order if (piece := subwords.pieces[number]) is not None}


def _without(model: Pretrained, gone: Container[str], files: dict[str, bytes]) -> Pretrained:
    """Returns the model without the rows of some symbols, with the files of its tokenizer."""
    vocabulary = model.vocabulary
    rows = [row for row, symbol in enumerate(vocabulary.symbols) if symbol not in gone]
    weights = dict(model.weights)
    for name in (EMBEDDING, OUTPUT_BIAS):
        weights[name] = weights[name][torch.tensor(rows)]
    del weights[OUTPUT_WEIGHT]  # tied
    smaller = replace(vocabulary, symbols=[vocabulary.symbols[row] for row in rows], files=files)
    return replace(model, weights=weights, vocabulary=smaller).checked()


def _sentencepiece(vocabulary: Vocabulary, used: set[str]) -> tuple[set[str], dict[str, bytes]]:
    """Returns the pieces to keep, and the files of a tokenizer with these alone."""
    files = vocabulary.files
    model = SentencePieceModel(files[MODEL_NAME], MODEL_NAME)
    added = added_to_sentencepiece(files.get(CONFIG_NAME, b"{}"), vocabulary.source)
    needed = model.needed(used & model.scores.keys())
    needed.update(token.content for token in added)
    return needed, {**files, MODEL_NAME: model.trimmed(needed)}


def _wordpiece(vocabulary: Vocabulary, used: set[str]) -> tuple[set[str], dict[str, bytes]]:
    config = vocabulary.files.get(CONFIG_NAME, b"{}")
    wordpieces = parse_wordpiece(vocabulary.files[VOCAB_NAME], config, vocabulary.source)
    single = {
        token
        for token in wordpieces.tokens
        if len(token) - len(INSIDE) * token.startswith(INSIDE) <= 1
    }
    trimmed = wordpieces.trimmed(used | single)
    return {*trimmed.numbered}, {**vocabulary.files, **trimmed.contents}
