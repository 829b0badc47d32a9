"""Reads the tables of words: text files with tab-separated cells, which lie beside the code.

The first line names the columns. Every other line is one row, a typed tuple for the code that uses
it. The cell ``-`` is empty: the row takes the default of that field.
"""

from __future__ import annotations

from pathlib import Path
from typing import (
    Any,
    Collection,
    Literal,
    Mapping,
    NamedTuple,
    Tuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines

EMPTY = "-"
Words = Tuple[str, ...]  # the type of a field whose cell holds words separated by spaces

Row = TypeVar("Row", bound=NamedTuple)


def read_table(
    path: Path,
    row_type: type[Row],
    keys: int = 1,
    known: Mapping[str, Collection[str]] | None = None,
) -> list[Row]:
    """Reads and checks a table.

    Args:
        path: the file.
        row_type: a named tuple with one field for each column, in order. A field is ``str``,
            a ``Literal`` of strings, or a tuple of either, whose cell holds words with spaces
            between them.
        keys: the number of leading columns that identify a row.
        known: for some fields, all words that their cells may hold.

    Returns:
        The rows in the order of the file.

    Raises:
        UserError: the header, a cell or the number of cells is wrong, or a row occurs twice. The
            message names the file and the line.
    """
    header, *lines = read_lines(path)
    if tuple(header.split("\t")) != row_type._fields:
        raise UserError(f"{path}:1: the columns must be {', '.join(row_type._fields)}, with tabs")
    columns = _columns(row_type, known or {})
    rows: list[Row] = []
    first_lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise UserError(
                f"{path}:{number}: {len(cells)} cells, but the header names {len(columns)} columns"
            )
        try:
            rows.append(row_type._make(map(_value, cells, columns)))
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}") from None
        key = tuple(cells[:keys])
        first = first_lines.setdefault(key, number)
        if first != number:
            raise UserError(f"{path}:{number}: {' '.join(key)} is in line {first} already")
    return rows


class _Column(NamedTuple):
    """A column of a table, with the values that its cells may hold.

    Attributes:
        name: the field.
        default: the value of an empty cell; None where no cell may be empty.
        holds_words: whether a cell holds several words, separated by spaces.
        choices: all words that a cell may hold; None where any word will do.
    """

    name: str
    default: Any
    holds_words: bool
    choices: Collection[str] | None


def _columns(row_type: type[NamedTuple], known: Mapping[str, Collection[str]]) -> list[_Column]:
    columns = []
    for name, hint in get_type_hints(row_type).items():
        holds_words = get_origin(hint) is tuple
        if holds_words:
            hint = get_args(hint)[0]
        choices = get_args(hint) if get_origin(hint) is Literal else known.get(name)
        default = row_type._field_defaults.get(name)
        columns.append(_Column(name, default, holds_words, choices))
    return columns


def _value(cell: str, column: _Column) -> Any:
    """Converts a cell to the type of its field; raises ValueError with the reason."""
    if cell == EMPTY and column.default is not None:
        return column.default
    words = tuple(cell.split(" ")) if column.holds_words else (cell,)
    for word in words:
        if word in ("", EMPTY) or word != word.strip():
            raise ValueError(f"{column.name}: {cell!r} is not a word")
        if column.choices is not None and word not in column.choices:
            raise ValueError(f"{column.name}: {word} is not one of {', '.join(column.choices)}")
    return words if column.holds_words else cell
