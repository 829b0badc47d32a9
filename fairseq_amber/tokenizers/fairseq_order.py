"""The order of the symbols in fairseq's dictionaries and of the rows in their embeddings."""

from __future__ import annotations

import io
import re
from itertools import count
from typing import Mapping, NamedTuple, Sequence

from fairseq_amber.errors import UserError

# fairseq.data.Dictionary puts these symbols before those of dict.txt; tasks append <mask>
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
_REMEDY = "the file is damaged, or another kind of file: prepare or fetch it again"
EOS = SPECIALS.index("</s>")
UNKNOWN = SPECIALS.index("<unk>")


class FairseqOrder(NamedTuple):
    """The symbols of another vocabulary in fairseq's order.

    Attributes:
        symbols: (V,) ``<s> <pad> </s> <unk>``, the others in the order of their rows, ``<mask>``.
        rows: (V,) the row of each symbol in the embedding of the other vocabulary, so that
            ``embedding[rows]`` is in fairseq's order.
    """

    symbols: list[str]
    rows: list[int]

    @property
    def listed(self) -> list[str]:
        """The symbols that dict.txt lists."""
        return self.symbols[len(SPECIALS) : -1]


def fairseq_order(
    tokens: Mapping[str, int], specials: Sequence[str], rows: int, source: str
) -> FairseqOrder:
    """Brings the tokens of another vocabulary into fairseq's order.

    Args:
        tokens: the row of each token in its embedding. A row without a token, or with one that
            dict.txt cannot hold, gets a name as fairseq's ``madeupword0000``.
        specials: the other vocabulary's names for ``<s> <pad> </s> <unk> <mask>``.
        rows: number of rows of its embedding.
        source: the name of the vocabulary in error messages.

    Raises:
        UserError: a special token is missing, another token has its name in fairseq, or two tokens
            have the same row.
    """
    missing = [token for token in specials if token not in tokens]
    if missing:
        raise UserError(
            f"{source} has no {', '.join(missing)}, which this model needs; give the vocabulary "
            "that it was trained with"
        )
    names = dict(zip(specials, (*SPECIALS, MASK)))
    for name in names.values():
        if name in tokens and name not in names:
            raise UserError(
                f"{source} lists {name!r}, which fairseq has another use for; rename it"
            )
    by_row: dict[int, str] = {}
    for token, row in tokens.items():
        if by_row.setdefault(row, token) != token:
            raise UserError(
                f"{source} gives the number {row} both to {by_row[row]!r} and to {token!r}; fetch "
                "it again"
            )
    spare = (name for name in (f"madeupword{i:04d}" for i in count()) if name not in tokens)
    *first, mask = (tokens[token] for token in specials)
    rest = sorted({*range(rows)} - {*first, mask})
    symbols = [t if fits_dictionary(t := by_row.get(row, "")) else next(spare) for row in rest]
    return FairseqOrder([*SPECIALS, *symbols, MASK], [*first, *rest, mask])


def fits_dictionary(symbol: str) -> bool:
    """Returns whether dict.txt can list a symbol: it holds neither a line end nor a surrogate."""
    return bool(symbol) and not re.search("[\n\r\ud800-\udfff]", symbol)


def parse_dictionary(data: bytes, name: str) -> tuple[dict[str, int], int]:
    """Reads dict.txt as fairseq.data.Dictionary does.

    Args:
        data: the content of the file.
        name: the name of the file in error messages.

    Returns:
        The index of each symbol, and the size of the dictionary.

    Raises:
        UserError: ``data`` is not a fairseq dictionary.
    """
    indices = {symbol: i for i, symbol in enumerate(SPECIALS)}
    size = len(SPECIALS)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}:{number}: not UTF-8; {_REMEDY}") from None
    if text.startswith("\ufeff"):
        raise UserError(f"{name}:1: begins with a byte order mark; remove it")
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        symbol, _, count = line.rstrip().rpartition(" ")
        overwrite = count == "#fairseq:overwrite"
        if overwrite:
            symbol, _, count = symbol.rpartition(" ")
        if not symbol or not re.fullmatch(r"-?[0-9]{1,18}", count):
            raise UserError(
                f"{name}:{number}: expected 'symbol count', as in fairseq's dict.txt; {_REMEDY}"
            )
        if symbol in indices and not overwrite:
            raise UserError(f"{name}:{number}: {symbol} is listed twice; remove one")
        indices[symbol] = size
        size += 1
    return indices, size
