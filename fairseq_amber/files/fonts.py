"""Chooses installed fonts that can draw a text, so that labels in any script are readable.

matplotlib falls back from one font family to the next by itself, but only among the families that
``font.family`` lists: this module finds the installed families to list.
"""

from __future__ import annotations

import unicodedata
from typing import Iterable

from fairseq_amber.errors import warn

_FIRST_CHOICE = "DejaVu Sans"  # comes with matplotlib; has Latin, Greek, Cyrillic and Arabic
_REGULAR = ("400", "regular", "normal", "book")
_PREFERRED = ("Noto Sans", "Source Han Sans", "WenQuanYi", "Droid Sans")


def font_families(texts: Iterable[str]) -> list[str]:
    """Finds installed font families that together can draw every character of some texts.

    Warns if no installed font has some of the characters.

    Args:
        texts: the texts to draw.

    Returns:
        The families in the order in which matplotlib should try them.
    """
    missing = {c for text in texts for c in text if not unicodedata.category(c).startswith("C")}
    families = []
    for name, characters in _installed():
        drawable = missing & characters if missing else set()
        if drawable:
            families.append(name)
            missing -= drawable
        if not missing:
            break
    if missing:
        sample = "".join(sorted(missing)[:8])
        warn(
            f"no installed font has {len(missing)} of the picture's characters ({sample}); "
            "install one, such as Noto Sans CJK, and draw it again"
        )
    return families or [_FIRST_CHOICE]


def _installed() -> Iterable[tuple[str, set[str]]]:
    """Yields each installed family with the characters that its regular face can draw.

    The family that comes with matplotlib comes first, then families that cover many scripts.
    """
    from matplotlib.font_manager import fontManager, get_font

    def rank(entry) -> tuple[int, str]:
        if entry.name == _FIRST_CHOICE:
            return 0, entry.name
        return (1 if entry.name.startswith(_PREFERRED) else 2), entry.name

    # A "Last Resort" font claims to have every character, but draws a box for each.
    regular = [
        entry
        for entry in fontManager.ttflist
        if entry.style == "normal"
        and str(entry.weight) in _REGULAR
        and not entry.name.startswith("Last Resort")
    ]
    for entry in sorted(regular, key=rank):
        try:
            yield entry.name, {chr(code) for code in get_font(entry.fname).get_charmap()}
        except (OSError, RuntimeError):
            continue  # a damaged font file counts as not installed
