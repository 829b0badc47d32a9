"""Formats tables as text: aligned columns for a terminal, and Markdown."""

from __future__ import annotations

import unicodedata
from typing import Sequence


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table aligned by spaces: the first column to the left, the others to the right."""
    return "\n".join("  ".join(cells).rstrip() for cells in _padded([header, *rows]))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose columns are also aligned in its source text."""
    first, *others = _padded([header, *rows])
    rule = ["-" * len(first[0])] + ["-" * (_width(cell) - 1) + ":" for cell in first[1:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [first, rule, *others])


def _padded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns the cells, filled up with spaces to the width of their column."""
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
