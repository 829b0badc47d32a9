"""What can be wrong with lines that are text: nothing to see in them, numbers in front of them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Sequence

from fairseq_amber.errors import warn

_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # Unicode's controls, formats and spaces
# letters and symbols that are blank by nature: fillers of Hangul, the empty pattern of Braille
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_INDEX = re.compile(r"(?:(?P<prefix>\S*?)(?P<id>\d+)\t|(?P<number>\d+)[.:)|,;]? )\s*\S")
_FEWEST = 5  # fewer lines may well begin with numbers that grow


def is_visible(text: str) -> bool:
    """Tells whether a text has a character that can be seen: more than white space, controls and
    characters without width, such as U+200B."""
    return any(
        character not in _BLANK and unicodedata.category(character) not in _INVISIBLE
        for character in text
    )


def index_column(lines: Sequence[str]) -> str:
    """Finds an index column: a number before the text of every line.

    Numbers before a tab, which may have a common prefix, grow from line to line; those before a
    space, which may have a mark behind them, are those of the lines.

    Returns:
        The first numbers as they are written, such as ``1, 2, 3``; empty if there is no column.
    """
    if len(lines) < _FEWEST:
        return ""
    written: list[str] = []
    before: tuple[str, int] | None = None
    for line in lines:
        match = _INDEX.match(line)
        if match is None:
            return ""
        prefix, digits = match["prefix"] or "", match["id"] or match["number"]
        number = int(digits) if len(digits) < 20 else 0
        if before is not None:
            grows = number > before[1] if match["id"] else number == before[1] + 1
            if prefix != before[0] or not grows:
                return ""
        before = prefix, number
        written.append(prefix + digits)
    return ", ".join(written[:3])


def warn_of_contents(path: str | Path, visible: bool, index: str) -> None:
    """Warns of a text that holds nothing visible, or an index column.

    Args:
        path: the file, which the warning names.
        visible: what ``is_visible`` says of it.
        index: what ``index_column`` says of its first lines.
    """
    if not visible:
        warn(
            f"{path} holds nothing that can be seen, only white space, control characters and "
            "characters without width; give text"
        )
    if index:
        warn(
            f"{path}: every line begins with a number ({index}, ...), which is taken as text; if "
            "it is an index, give the text alone, as by cut -f 2- or sed 's/^[^ ]* //'"
        )
