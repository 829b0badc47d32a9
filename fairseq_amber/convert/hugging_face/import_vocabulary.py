"""Reads the vocabulary of a Hugging Face folder into the order of fairseq's dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from fairseq_amber.convert.sentencepiece_model import SentencePieceModel, from_tokenizer_json
from fairseq_amber.convert.vocabulary import Vocabulary, shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes, read_json
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, fairseq_order
from fairseq_amber.tokenizers.subwords import MODEL_NAME
from fairseq_amber.tokenizers.wordpiece_files import JSON_NAME, VOCAB_NAME, read_wordpiece

# Embeddings are padded, for speed, to a multiple of this number at most: a vocabulary that leaves
# as many rows unused belongs to another model.
_MAX_UNUSED_ROWS = 128


def read_vocabulary(folder: Path, rows: int) -> tuple[Vocabulary, list[int]]:
    """Reads the vocabulary of a folder.

    Args:
        folder: the folder.
        rows: number of rows of the embedding in the folder's weights.

    Returns:
        The vocabulary, and for each of its symbols the row of that embedding; see
        ``fairseq_order``.

    Raises:
        UserError: a file is missing or damaged, or the tokens do not fit the embedding.
    """
    listed = read_json(folder / JSON_NAME) or {}
    kind = (listed.get("model") or {}).get("type")
    has_wordpieces, has_model = ((folder / n).is_file() for n in (VOCAB_NAME, MODEL_NAME))
    if has_wordpieces and has_model:
        raise UserError(f"{folder} holds both {MODEL_NAME} and {VOCAB_NAME}; remove one")
    if has_model or kind == "Unigram":
        tokens, files, source = _sentencepieces(folder, listed)
        specials: tuple[str, ...] = (*SPECIALS, MASK)
    elif has_wordpieces or kind == "WordPiece":
        wordpieces = read_wordpiece(folder / (VOCAB_NAME if has_wordpieces else JSON_NAME))
        tokens, files, source = wordpieces.tokens, wordpieces.contents, wordpieces.source
        specials = wordpieces.settings.specials
    else:
        raise UserError(
            f"{folder} has no vocabulary: neither {MODEL_NAME} (XLM-R) nor {VOCAB_NAME} (BERT) nor "
            f"a {JSON_NAME} of their kinds"
        )
    _check_size(tokens, rows, source)
    symbols, order = fairseq_order(tokens, specials, rows, source)
    return Vocabulary(symbols, files, source), order


def _check_size(tokens: Mapping[str, int], rows: int, source: str) -> None:
    largest = max(tokens.values(), default=-1)
    if largest >= rows:
        raise UserError(
            f"{source} numbers its tokens up to {largest} but the embedding has {rows} rows: the "
            "vocabulary is larger; give the files this model was trained with"
        )
    if rows - len(tokens) >= _MAX_UNUSED_ROWS:
        raise UserError(
            f"{source} has {len(tokens)} tokens but the embedding has {rows} rows: the vocabulary "
            "is smaller; give the files this model was trained with"
        )


def _sentencepieces(
    folder: Path, listed: dict[str, Any]
) -> tuple[dict[str, int], dict[str, bytes], str]:
    path = folder / MODEL_NAME
    source = str(path)
    if path.is_file():
        data = read_bytes(path)
    else:
        source = str(folder / JSON_NAME)
        data = from_tokenizer_json(listed, source)
    pieces = SentencePieceModel(data, source).pieces
    if listed:
        tokens = _numbered(listed)
        absent = [piece for piece in pieces if piece not in tokens]
        if absent:
            raise UserError(
                f"{folder / JSON_NAME} lacks {len(absent)} pieces of {source} (such as "
                f"{shorten(absent)}); remove the one that does not belong to the model"
            )
    else:
        # XLM-R numbers fairseq's special tokens, then the pieces in the model's order, then <mask>
        tokens = {piece: row for row, piece in enumerate((*SPECIALS, *pieces, MASK))}
    return tokens, {MODEL_NAME: data}, source


def _numbered(listed: dict[str, Any]) -> dict[str, int]:
    """Returns the number of each token in a tokenizer.json of the kind Unigram or BPE."""
    vocabulary = (listed.get("model") or {}).get("vocab") or {}
    if isinstance(vocabulary, list):
        vocabulary = {piece: row for row, (piece, _) in enumerate(vocabulary)}
    added = listed.get("added_tokens") or []
    return {**vocabulary, **{token["content"]: token["id"] for token in added}}
