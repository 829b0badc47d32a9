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
    hints = get_type_hints(row_type)
    rows: list[Row] = []
    first_lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(row_type._fields):
            raise UserError(
                f"{path}:{number}: {len(cells)} cells, but the header names "
                f"{len(row_type._fields)} columns"
            )
        values: list[Any] = []
        for field, cell in zip(row_type._fields, cells):
            if cell == EMPTY and field in row_type._field_defaults:
                values.append(row_type._field_defaults[field])
                continue
            try:
                values.append(_value(cell, hints[field], (known or {}).get(field)))
            except ValueError as error:
                raise UserError(f"{path}:{number}: {field}: {error}") from None
        rows.append(row_type._make(values))
        key = tuple(cells[:keys])
        first = first_lines.setdefault(key, number)
        if first != number:
            raise UserError(f"{path}:{number}: {' '.join(key)} is in line {first} already")
    return rows


def _value(cell: str, hint: Any, known: Collection[str] | None) -> Any:
    """Converts a cell to the type of its field; raises ValueError with the reason."""
    if get_origin(hint) is tuple:
        return tuple([_value(word, get_args(hint)[0], known) for word in cell.split(" ")])
    if cell in ("", EMPTY) or cell != cell.strip():
        raise ValueError(f"{cell!r} is not a word")
    if get_origin(hint) is Literal and cell not in get_args(hint):
        raise ValueError(f"{cell} is not one of {', '.join(get_args(hint))}")
    if known is not None and cell not in known:
        raise ValueError(f"{cell} is not a known concept")
    return cell
