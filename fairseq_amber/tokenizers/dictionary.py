"""fairseq's dictionaries, and whether two of them are one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fairseq.data import Dictionary

from fairseq_amber.errors import UserError


def load_dictionary(data: Path) -> Dictionary:
    """The folder's ``dict.txt``, with ``<mask>``.

    Raises:
        UserError: there is no such folder or file, or it is not a dictionary.
    """
    if not data.exists():
        raise UserError(f"the data folder {data} does not exist")
    if not data.is_dir():
        raise UserError(f"{data} is a file: give the data folder that holds dict.txt")
    path = data / "dict.txt"
    if not path.is_file():
        raise UserError(
            f"{path} is missing: make the folder with `fairseq-amber prepare RAW {data}`"
        )
    dictionary = _read_dictionary(path)
    if len(dictionary) == dictionary.nspecial:
        raise UserError(f"{path} is empty: prepare the folder again")
    dictionary.add_symbol("<mask>")
    return dictionary


def fingerprint(dictionary: Dictionary) -> str:
    """What tells dictionaries apart, by their symbols and the order of these."""
    return hashlib.sha256("\n".join(dictionary.symbols).encode()).hexdigest()


def check_same_dictionary(first: Path, other: Path) -> None:
    """Two dictionary files must list the same symbols in the same order; counts may differ.

    Raises:
        UserError: they do not.
    """
    if first.read_bytes() == other.read_bytes():
        return
    if _read_dictionary(first).symbols != _read_dictionary(other).symbols:
        raise UserError(
            f"{first} and {other} are different dictionaries: text that is trained on together "
            "must be binarised with one"
        )


def _read_dictionary(path: Path) -> Dictionary:
    try:
        return Dictionary.load(str(path))
    except Exception as error:  # fairseq raises the bare class here, too
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{path} is not a fairseq dictionary: {reason}") from None
