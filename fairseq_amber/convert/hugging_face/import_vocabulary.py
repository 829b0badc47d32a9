"""Reads the vocabulary of a Hugging Face folder into the order of fairseq's dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NamedTuple

from fairseq_amber.convert.sentencepiece_model import (
    SentencePieceModel,
    from_tokenizer_json,
    scored_pieces,
)
from fairseq_amber.convert.vocabulary import Vocabulary, shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes, read_json
from fairseq_amber.tokenizers.added_token_files import (
    JSON_NAME,
    parse_added_tokens,
    read_added_tokens,
)
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, fairseq_order, fits_dictionary
from fairseq_amber.tokenizers.subwords import MODEL_NAME, added_tokens_file
from fairseq_amber.tokenizers.wordpiece_files import VOCAB_NAME, checked_numbers, read_wordpiece


class ReadVocabulary(NamedTuple):
    """The vocabulary of a folder.

    Attributes:
        vocabulary: the vocabulary.
        order: for each of its symbols, the row of the folder's embedding; see ``fairseq_order``.
        notes: what the user should know about rows without a token.
    """

    vocabulary: Vocabulary
    order: list[int]
    notes: list[str]


def read_vocabulary(folder: Path, rows: int) -> ReadVocabulary:
    """Reads the vocabulary of a folder.

    Args:
        folder: the folder.
        rows: number of rows of the embedding in the folder's weights.

    Raises:
        UserError: a file is missing or damaged, or the tokens do not fit the embedding.
    """
    listed = read_json(folder / JSON_NAME) or {}
    model = listed.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    has_wordpieces, has_model = ((folder / n).is_file() for n in (VOCAB_NAME, MODEL_NAME))
    if has_wordpieces and has_model:
        raise UserError(f"{folder} holds both {MODEL_NAME} and {VOCAB_NAME}; remove one")
    if has_model or kind == "Unigram":
        tokens, files, source = _sentencepieces(folder, listed)
        specials: tuple[str, ...] = (*SPECIALS, MASK)
    elif has_wordpieces or kind == "WordPiece":
        wordpieces = read_wordpiece(folder / (VOCAB_NAME if has_wordpieces else JSON_NAME))
        tokens, files, source = wordpieces.numbered, wordpieces.contents, wordpieces.source
        specials = wordpieces.settings.specials
    else:
        given = f"; the {JSON_NAME} there is of the kind {kind!r}" if listed else ""
        raise UserError(
            f"{folder} has no vocabulary: neither {MODEL_NAME} (XLM-R) nor {VOCAB_NAME} (BERT) nor "
            f"a {JSON_NAME} of their kinds (Unigram, WordPiece){given}"
        )
    _check_size(tokens, rows, source)
    symbols, order = fairseq_order(tokens, specials, rows, source)
    # a WordPiece vocabulary from tokenizer.json has lost these tokens on the way to vocab.txt
    named = tokens if has_wordpieces or not listed else {**_numbered(listed, source), **tokens}
    notes = _notes(named, rows)
    return ReadVocabulary(Vocabulary(symbols, files, source), order, notes)


def _notes(tokens: Mapping[str, int], rows: int) -> list[str]:
    notes = []
    spare = rows - len(set(tokens.values()))
    if spare:
        notes.append(
            f"{spare} of the {rows} rows of the embedding have no token: they become "
            "madeupword0000 and so on; if they should have one, the tokenizer is another model's"
        )
    lost = [token for token in tokens if not fits_dictionary(token)]
    if lost:
        notes.append(
            f"left out: {len(lost)} tokens with a line end, which dict.txt cannot hold: "
            f"{shorten(lost)}; their rows are kept without a name, and text has <unk> for them"
        )
    return notes


def _check_size(tokens: Mapping[str, int], rows: int, source: str) -> None:
    largest = max(tokens.values(), default=-1)
    if largest >= rows:
        raise UserError(
            f"{source} numbers its tokens up to {largest} but the embedding has {rows} rows: the "
            "vocabulary is larger; give the files this model was trained with"
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
    specials = (*SPECIALS, MASK)
    if listed:
        tokens = _numbered(listed, str(folder / JSON_NAME))
        absent = [piece for piece in pieces if piece not in tokens]
        if absent:
            raise UserError(
                f"{folder / JSON_NAME} lacks {len(absent)} pieces of {source} (such as "
                f"{shorten(absent)}); remove the one that does not belong to the model"
            )
    else:
        # XLM-R numbers fairseq's special tokens, then the pieces in the model's order, then <mask>
        tokens = {piece: row for row, piece in enumerate((*SPECIALS, *pieces, MASK))}
    added = read_added_tokens(folder, specials)
    tokens = {**{token.content: token.number for token in added}, **tokens}
    return tokens, {MODEL_NAME: data, **added_tokens_file(added)}, source


def _numbered(listed: dict[str, Any], source: str) -> dict[str, int]:
    """Returns the number of each token in a tokenizer.json, with those of added tokens.

    Raises:
        UserError: it does not number tokens.
    """
    vocabulary = listed["model"].get("vocab") if isinstance(listed.get("model"), dict) else None
    if isinstance(vocabulary, list):
        vocabulary = {
            piece: row for row, (piece, _) in enumerate(scored_pieces(vocabulary, source))
        }
    added = parse_added_tokens((), str(Path(source).parent), listed, {}, {})
    numbers = checked_numbers(vocabulary, source)
    return {**numbers, **{token.content: token.number for token in added}}
