"""Reads fairseq's dictionaries, and checks that two of them are the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.tokenizers.fairseq_order import parse_dictionary

if TYPE_CHECKING:
    from fairseq.data import Dictionary


class HasSymbols(Protocol):
    """A dictionary of fairseq, or anything else that lists symbols by their number."""

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols, in the order of their numbers."""


def load_dictionary(data: Path) -> Dictionary:
    """Reads the ``dict.txt`` of a data folder and adds ``<mask>``.

    Raises:
        UserError: there is no such folder or file, or it is not a dictionary.
    """
    if not data.exists():
        raise UserError(f"the data folder {data} does not exist")
    if not data.is_dir():
        raise UserError(f"{data} is a file: give the data folder that holds dict.txt")
    path = data / "dict.txt"
    if not path.is_file():
        raise UserError(f"{path} is missing: make the folder with fairseq-amber prepare RAW {data}")
    dictionary = _read_dictionary(path)
    if len(dictionary) == dictionary.nspecial:
        raise UserError(f"{path} is empty: prepare the folder again")
    dictionary.add_symbol("<mask>")
    return dictionary


def dictionary_of(symbols: Sequence[str]) -> Dictionary:
    """Returns fairseq's dictionary of all symbols of a model, ``<s> <pad> </s> <unk>`` first."""
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for symbol in symbols[dictionary.nspecial :]:
        dictionary.add_symbol(symbol)
    return dictionary


def fingerprint(dictionary: HasSymbols) -> str:
    """Returns a digest of the symbols in their order, which a checkpoint keeps."""
    return hashlib.sha256("\n".join(dictionary.symbols).encode()).hexdigest()


def check_trained_with(
    dictionary: HasSymbols, recorded: str | None, *, path: Path, checkpoint: object, remedy: str
) -> None:
    """Checks that a dictionary is the one that a checkpoint was trained with.

    Args:
        dictionary: the dictionary.
        recorded: the fingerprint that the checkpoint keeps; None is accepted without a check.
        path: the file of the dictionary.
        checkpoint: the name of the checkpoint.
        remedy: what the user can do; the end of the message.

    Raises:
        UserError: the model was trained with another dictionary.
    """
    if recorded is not None and recorded != fingerprint(dictionary):
        raise UserError(
            f"{path} is not the dictionary that {checkpoint} was trained with; {remedy}"
        )


def check_rows(rows: int, symbols: int, *, path: object, checkpoint: object, remedy: str) -> None:
    """Checks that a dictionary has a symbol for each row of a checkpoint's token embedding.

    Args:
        rows: rows of the embedding.
        symbols: symbols of the dictionary, ``<mask>`` included.
        path: the file of the dictionary.
        checkpoint: the name of the checkpoint.
        remedy: what the user can do; the end of the message.

    Raises:
        UserError: the numbers differ.
    """
    if rows != symbols:
        raise UserError(
            f"{checkpoint} was trained with a dictionary of {rows} symbols but {path} has "
            f"{symbols}; {remedy}"
        )


def check_same_dictionary(first: Path, other: Path) -> None:
    """Checks that two dictionary files list the same symbols in the same order.

    Counts may differ.

    Raises:
        UserError: the symbols differ, or a file is not a dictionary.
    """
    if read_bytes(first) == read_bytes(other):
        return
    if _read_dictionary(first).symbols != _read_dictionary(other).symbols:
        raise UserError(
            f"{first} and {other} are different dictionaries: text that is trained on together "
            "must be binarised with one"
        )


def _read_dictionary(path: Path) -> Dictionary:
    from fairseq.data import Dictionary  # it is slow to import, and convert works without it

    # fairseq names neither the line nor, for bytes that are not UTF-8, the file
    parse_dictionary(read_bytes(path), str(path))
    try:
        return Dictionary.load(str(path))
    except Exception as error:  # fairseq raises the bare class here, too
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{path} is not a fairseq dictionary: {reason}") from None
