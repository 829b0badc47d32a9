"""The colours of all pictures, and the one way to write a figure to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The palette of Okabe and Ito: colour-blind readers can tell its colours apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FORMATS = (".png", ".svg", ".pdf")


def check_format(path: str | Path) -> None:
    """Checks that a file's name ends in a format in which pictures can be written.

    Raises:
        UserError: the name does not end in such a format.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise UserError(f"{path}: a picture's name ends in {', '.join(FORMATS)}")


def both_formats(path: str | Path) -> list[Path]:
    """Returns the given file and the same name in the other format: PNG or SVG; a PDF has none."""
    path = Path(path)
    other = {".png": ".svg", ".svg": ".png"}.get(path.suffix.lower())
    return [path] if other is None else [path, path.with_suffix(other)]


def import_matplotlib() -> tuple[Any, type[Figure]]:
    """Returns ``matplotlib.rc_context`` and ``Figure``, which draw without a screen.

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
    """Writes a figure without its margins, at 200 dots per inch, whole or not at all.

    Args:
        figure: the figure.
        path: the file; the suffix of its name decides the format.

    Raises:
        UserError: the format is unknown, or the file cannot be written.
    """
    check_format(path)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=200, facecolor="white", bbox_inches="tight", pad_inches=0.15)
