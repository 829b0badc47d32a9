"""Chooses installed fonts that can draw a text, so that labels of any script are readable."""

from __future__ import annotations

import unicodedata
from typing import Iterable

from fairseq_amber.errors import warn

_FIRST_CHOICE = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic and more
_REGULAR = ("400", "regular", "normal", "book")
_PREFERRED = ("Noto Sans", "Source Han Sans", "WenQuanYi", "Droid Sans")


def font_families(texts: Iterable[str]) -> list[str]:
    """Font families that together have every character, to be given to matplotlib in this order.

    Warns in one line on stderr when no installed font has some of the characters.
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
    """Families with the characters of their regular face: matplotlib's own, then likely ones."""
    from matplotlib.font_manager import fontManager, get_font

    def rank(entry) -> tuple[int, str]:
        if entry.name == _FIRST_CHOICE:
            return 0, entry.name
        return (1 if entry.name.startswith(_PREFERRED) else 2), entry.name

    # A "last resort" font claims every character and draws a box for it.
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
            continue  # a font file that cannot be read is as good as not installed
