"""What all pictures share: colours, and writing a figure whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers, and in grey by most.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FORMATS = (".png", ".svg", ".pdf")


def check_format(path: str | Path) -> None:
    """Raises UserError unless the name ends in a format that pictures are written in."""
    if Path(path).suffix.lower() not in FORMATS:
        raise UserError(f"{path}: a picture's name ends in {', '.join(FORMATS)}")


def both_formats(path: str | Path) -> list[Path]:
    """A PNG and its SVG sibling, the given one first; a PDF has none."""
    path = Path(path)
    other = {".png": ".svg", ".svg": ".png"}.get(path.suffix.lower())
    return [path] if other is None else [path, path.with_suffix(other)]


def import_matplotlib() -> tuple[Any, type[Figure]]:
    """`matplotlib.rc_context` and `Figure`, which draws without a screen.

    Raises:
        UserError: matplotlib is missing.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("matplotlib is missing; pip install matplotlib") from None
    return rc_context, Figure


def save_picture(figure: Figure, path: str | Path) -> None:
    """Writes a figure in the format its name ends in, trimmed, at 200 dots an inch.

    Raises:
        UserError: an unknown format, or a file that cannot be written.
    """
    check_format(path)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=200, facecolor="white", bbox_inches="tight", pad_inches=0.15)
