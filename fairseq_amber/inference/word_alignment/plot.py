"""Draws one sentence pair: the score of every two words, and their links."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Collection, Sequence

import numpy as np

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.files.fonts import font_families
from fairseq_amber.files.pictures import import_matplotlib, save_picture
from fairseq_amber.metrics.word_alignment import Link

_INCHES_PER_WORD = 0.42


def plot_alignment(
    scores: np.ndarray,
    source: Sequence[str],
    target: Sequence[str],
    links: Collection[Link],
    paths: Sequence[str | Path],
    *,
    scale: str = "",
) -> None:
    """Draws a matrix of scores and saves it to one or more files.

    A darker cell means a higher score, and a ring marks a link. Labels use installed fonts that
    have the characters of the words.

    Args:
        scores: (S, T), the score of each source word (row) with each target word (column).
        source: the S source words.
        target: the T target words.
        links: the links (source word, target word).
        paths: the files to write; the suffix of each gives its format.
        scale: what the scores are; the label of the color bar.

    Raises:
        UserError: matplotlib is missing, a side has no words, or a file cannot be written.
    """
    if not source or not target:
        raise UserError("--plot: this sentence pair has a side without words")
    rc_context, Figure = import_matplotlib()

    width, height = _INCHES_PER_WORD * len(target), _INCHES_PER_WORD * len(source)
    source, target = ([one_line(word) for word in side] for side in (source, target))
    fonts: Any = {
        "font.family": font_families([*source, *target]),
        "font.size": 10,
        "text.parse_math": False,  # words such as $x$ are no formulas
    }
    with rc_context(fonts), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # The cells fill the figure; labels and color bar lie outside it, and saving adds room.
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        image = axes.imshow(scores, cmap="Blues", vmin=min(0.0, scores.min()), aspect="auto")
        axes.set_xticks(range(len(target)), target, rotation=90)
        axes.set_yticks(range(len(source)), source)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xticks(np.arange(len(target) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(source) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        if links:
            rows, columns = zip(*links)
            axes.scatter(
                columns, rows, s=90, facecolors="none", edgecolors="#d9480f", linewidths=1.8
            )
        bar_axes = figure.add_axes((1 + 0.15 / width, 0, 0.1 / width, 1))
        bar = figure.colorbar(image, cax=bar_axes)
        bar.set_label(scale, fontsize=8)
        bar.ax.spines["outline"].set_visible(False)
        bar.ax.tick_params(labelsize=8, length=2)
        for path in paths:
            save_picture(figure, path)
