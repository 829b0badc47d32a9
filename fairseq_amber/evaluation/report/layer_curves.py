"""Draws scores by layer, from results that hold the score of several layers.

There is a panel for each language pair, and one for their mean, for the systems that have all
pairs.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Dict, Sequence

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.evaluation.report.panels import colour, legend, line, panels
from fairseq_amber.files.pictures import save_picture
from fairseq_amber.files.results import Result

MEAN = "mean"
_COLUMNS = 4

# The score of each layer: curves[panel][system][layer].
Curves = Dict[str, Dict[str, Dict[int, float]]]


def layer_curves(results: Sequence[Result]) -> Curves:
    """Returns the curves of those results that hold ``layers``.

    Several results of one system on one language pair are averaged.

    Raises:
        UserError: a result is damaged.
    """
    runs: dict[str, dict[str, dict[int, list[float]]]] = {}
    for result in results:
        for language, parts in result.per_language.items():
            for layer, score in _scores_by_layer(parts, result.system).items():
                systems = runs.setdefault(language, {})
                systems.setdefault(result.system, {}).setdefault(layer, []).append(score)
    curves = {
        language: {
            system: {layer: statistics.fmean(scores[layer]) for layer in sorted(scores)}
            for system, scores in systems.items()
        }
        for language, systems in runs.items()
    }
    mean = _mean(curves)
    return {MEAN: mean, **curves} if len(curves) > 1 and mean else curves


def _scores_by_layer(parts: dict[str, Any], system: str) -> dict[int, float]:
    """Returns the score of each layer in one language of a result, which may have no ``layers``."""
    try:
        return {int(layer): float(score) for layer, score in parts.get("layers", {}).items()}
    except (TypeError, ValueError, AttributeError):
        raise UserError(
            f"a result of {system} has damaged scores of layers; measure again"
        ) from None


def _mean(curves: Curves) -> dict[str, dict[int, float]]:
    """Returns the mean over the language pairs, for each system that has all pairs.

    The mean is taken at the layers that the system has in every pair.
    """
    means: dict[str, dict[int, float]] = {}
    for system in dict.fromkeys(s for systems in curves.values() for s in systems):
        pairs = [systems[system] for systems in curves.values() if system in systems]
        if len(pairs) == len(curves):
            common = set(pairs[0]).intersection(*pairs[1:])
            means[system] = {
                layer: statistics.fmean(pair[layer] for pair in pairs) for layer in sorted(common)
            }
    return means


def plot_layers(curves: Curves, metric: str, paths: Sequence[str | Path]) -> None:
    """Draws every panel. All have the same vertical scale, which starts at 0.

    Args:
        curves: the curves.
        metric: the name of the score, for the vertical axis.
        paths: the files to write; the suffix of each decides its format.

    Raises:
        UserError: matplotlib is missing, or a file cannot be written.
    """
    systems = list(dict.fromkeys(s for panel in curves.values() for s in panel))
    scores = [v for panel in curves.values() for c in panel.values() for v in c.values()]
    with panels(len(curves), columns=_COLUMNS, size=(2.7, 2.3)) as (figure, axes):
        from matplotlib.ticker import MaxNLocator

        for number, ((label, by_system), panel) in enumerate(zip(curves.items(), axes)):
            for name, points in by_system.items():
                panel.plot(
                    list(points),
                    list(points.values()),
                    color=colour(systems.index(name)),
                    marker="o",
                    markersize=3.5,
                    linewidth=1.5,
                )
            panel.set_title(one_line(label), fontsize=10, loc="left")
            panel.set_ylim(min(0, *scores), 1.05 * max(1, *scores))
            panel.grid(axis="y", color="#e6e6e6", linewidth=0.8)
            panel.xaxis.set_major_locator(MaxNLocator(7, integer=True))
            panel.set_xlabel("layer (0: embeddings)")
            if number % _COLUMNS == 0:
                panel.set_ylabel(f"{metric}, %")
        legend(figure, [line(number, name) for number, name in enumerate(systems)])
        for path in paths:
            save_picture(figure, path)
