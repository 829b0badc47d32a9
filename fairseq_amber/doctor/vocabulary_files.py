"""Checks the dictionary and the tokenizer of a folder."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.preparation.corpus.vocabulary import load_vocabulary
from fairseq_amber.tokenizers.fairseq_order import SPECIALS, parse_dictionary
from fairseq_amber.tokenizers.subwords import (
    DICTIONARY_NAME,
    JSON_NAME,
    MODEL_NAME,
    VOCAB_NAME,
    find_tokenizer,
)


def inspect_vocabulary(inspection: Inspection) -> int | None:
    """Checks the dictionary of a folder, its copies in sub-folders, and the tokenizer.

    Returns:
        The number of symbols, ``<mask>`` included; None if the dictionary is damaged.
    """
    folder = inspection.path
    symbols = inspection.check("dictionaries", _symbols, folder / DICTIONARY_NAME)
    if symbols is None:
        return None
    for copy in sorted(folder.rglob("dict*.txt")):
        if copy.parent != folder:
            inspection.check("dictionaries", _check_same, folder / DICTIONARY_NAME, copy)
    # A folder that stock fairseq has made has no tokenizer.
    if any((folder / name).is_file() for name in (MODEL_NAME, VOCAB_NAME, JSON_NAME)):
        inspection.check("tokenizers", _check_tokenizer, folder)
    return len(symbols) + 1  # the tasks append <mask>


def _symbols(path: Path) -> dict[str, int]:
    symbols, size = parse_dictionary(read_bytes(path), str(path))
    if size == len(SPECIALS):
        raise UserError(f"{path} is empty: prepare the folder again")
    return symbols


def _check_same(first: Path, other: Path) -> None:
    if _symbols(first) != _symbols(other):
        raise UserError(
            f"{first} and {other} are different dictionaries: copy the one with which the text was "
            "binarised over the other, or prepare the folder again"
        )


def _check_tokenizer(folder: Path) -> None:
    dictionary = folder / DICTIONARY_NAME
    load_vocabulary(find_tokenizer(folder), read_bytes(dictionary), str(dictionary))
