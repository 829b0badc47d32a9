"""Figures of several panels with one legend above them, as all pictures of a report have."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from fairseq_amber.errors import one_line
from fairseq_amber.files.pictures import COLOURS, import_matplotlib

# Names are shown as they are, also with the signs of a formula.
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,
}


@contextmanager
def panels(count: int, *, columns: int = 3, size: tuple[float, float]) -> Iterator[tuple]:
    """Gives a figure of several panels to draw in; all drawing belongs in the block.

    Args:
        count: number of panels.
        columns: number of panels side by side.
        size: width and height of a panel, in inches.

    Yields:
        The figure and its panels.

    Raises:
        UserError: matplotlib is missing.
    """
    rc_context, Figure = import_matplotlib()
    columns = min(columns, count)
    rows = -(-count // columns)
    with rc_context(_STYLE):
        width, height = size
        figure = Figure(figsize=(width * columns, height * rows + 0.4), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for panel in axes[count:]:
            panel.set_visible(False)
        yield figure, axes[:count]


def colour(number: int) -> str:
    """Returns the colour of a curve by its number, which is the same in every picture."""
    return COLOURS[number % len(COLOURS)]


def line(number: int, label: str) -> Any:
    """Returns the entry of a curve in a legend, by the number of the curve."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour(number), linewidth=2, label=one_line(label))


def legend(figure: Any, handles: Sequence[Any]) -> None:
    """Puts a legend above the panels, in as many columns as fit."""
    longest = max(len(str(handle.get_label())) for handle in handles) + 7
    columns = int(figure.get_figwidth() / (0.075 * longest))
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=max(1, min(len(handles), columns)),
        frameon=False,
    )
