"""The vocabulary of a model: the symbol of each row, and the files of its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.tokenizers.dictionary import check_rows, check_trained_with
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS, parse_dictionary
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME, find_tokenizer
from fairseq_amber.tokenizers.wordpiece_files import VOCAB_NAME


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary of a model.

    Attributes:
        symbols: the symbol of each row of the embedding: ``<s> <pad> </s> <unk>``, then those of
            dict.txt, then ``<mask>`` unless dict.txt lists it.
        files: the contents of the tokenizer's files, by name.
        source: where the vocabulary comes from, for error messages.
    """

    symbols: list[str]
    files: dict[str, bytes]
    source: str

    @property
    def wordpiece(self) -> bool:
        """Whether the tokenizer is a WordPiece vocabulary, as BERT's; else it is SentencePiece."""
        return VOCAB_NAME in self.files

    def dictionary(self) -> bytes:
        """Returns the content of dict.txt, without the symbols that fairseq adds itself.

        Raises:
            UserError: there is a symbol that dict.txt cannot hold.
        """
        listed = self.symbols[len(SPECIALS) :]
        if listed and listed[-1] == MASK:
            listed = listed[:-1]
        data = "".join(f"{symbol} 1\n" for symbol in listed).encode("utf-8")
        if read_symbols(data, self.source) != self.symbols:
            raise UserError(f"{self.source} has symbols that fairseq's dict.txt cannot hold")
        return data


def load_vocabulary(folder: Path) -> Vocabulary:
    """Reads dict.txt and the tokenizer's files from a data folder or a folder of XLM-R.

    Raises:
        UserError: a file is missing, or dict.txt is not a dictionary.
    """
    path = folder / DICTIONARY_NAME
    symbols = read_symbols(read_bytes(path), str(path))
    return Vocabulary(symbols, find_tokenizer(folder).files, str(path))


def read_symbols(dictionary: bytes, name: str) -> list[str]:
    """Returns the symbols of a dict.txt in fairseq's order; adds ``<mask>`` if it is not listed.

    Raises:
        UserError: ``dictionary`` is not the content of a fairseq dictionary.
    """
    indices, size = parse_dictionary(dictionary, name)
    if len(indices) != size:
        raise UserError(f"{name} overwrites fairseq's own symbols, which is not supported here")
    symbols = list(indices)
    return symbols if MASK in indices else [*symbols, MASK]


def check_expected(
    expected: Vocabulary, recorded: str | None, rows: int, source: Path | str
) -> None:
    """Checks that a model has the vocabulary of the text that it is to read.

    Args:
        expected: the vocabulary of the text.
        recorded: the fingerprint of the model's vocabulary; None if it is not known.
        rows: number of rows of the model's embedding.
        source: where the model comes from.

    Raises:
        UserError: the model has another vocabulary.
    """
    remedy = (
        "prepare the text in the vocabulary of that model: fairseq-amber prepare RAW DATA_BIN (or "
        f"prepare-task) --tokenizer {source}"
    )
    path, name = Path(expected.source), str(source)
    check_trained_with(expected, recorded, path=path, checkpoint=name, remedy=remedy)
    check_rows(rows, len(expected.symbols), path=path, checkpoint=name, remedy=remedy)


def shorten(names: Sequence[str], max_names: int = 3) -> str:
    """Returns the first few names, and how many more there are, for a message."""
    listed_names = ", ".join(repr(name) for name in names[:max_names])
    return (
        listed_names
        if len(names) <= max_names
        else f"{listed_names} and {len(names) - max_names} more"
    )
