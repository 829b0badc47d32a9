"""Formats tables as text: aligned columns for a terminal, Markdown and CSV.

Names and other text come from files that anyone may have written. No cell can therefore end its
line or command a terminal; ``markdown_text`` and ``csv_cell`` keep text from being Markdown, HTML
or a formula.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Sequence, TypeVar

from fairseq_amber.errors import one_line

Cell = TypeVar("Cell")

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Marks of Markdown; an underscore within a word is none. Some are marks at the start alone.
_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[-+=#]|(?<=^\d)[.)](?=\s|$)")
_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table aligned by spaces: the first column to the left, the others to the right."""
    return "\n".join("  ".join(cells).rstrip() for cells in _padded([header, *rows]))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose columns are also aligned in its source text."""
    first, *others = _padded([header, *rows])
    rule = ["-" * len(first[0])] + ["-" * (_width(cell) - 1) + ":" for cell in first[1:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [first, rule, *others])


def markdown_text(text: str) -> str:
    """Returns Markdown that shows a text as it is."""
    marked = _MARKS.sub(lambda match: "\\" + match[0], one_line(text))
    return re.sub("[&<>]", lambda match: _HTML[match[0]], marked)


def csv_cell(value: Cell) -> Cell | str:
    """Returns a cell that a spreadsheet shows as it is: text that it would take for a formula gets
    an apostrophe in front. A number, also one that is written as text, stays as it is."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    try:
        float(text)
    except ValueError:
        return f"'{text}" if _FORMULA.match(text) else text
    return text


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns the cells, each one line, filled up with spaces to the width of their column."""
    rows = [list(map(one_line, row)) for row in rows]
    widths = [max(map(_width, column)) for column in zip(*rows)]
    return [
        [
            cell + " " * (width - _width(cell))
            if number == 0
            else " " * (width - _width(cell)) + cell
            for number, (cell, width) in enumerate(zip(row, widths))
        ]
        for row in rows
    ]


def _width(text: str) -> int:
    """Returns the width of a text on a terminal; a wide character counts 2, a combining mark 0."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
