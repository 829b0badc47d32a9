"""The table of the scores of several layers, which an evaluator prints."""

from __future__ import annotations

from statistics import fmean
from typing import Callable, Iterable, Mapping

from fairseq_amber.files.tables import plain_table

CHOSEN_ON_TEST_DATA = (
    "* marks the best layer. A layer chosen from this table is chosen on the test data: before you "
    "compare its score, choose it on other data"
)


def layer_table(
    scores: Mapping[str, Mapping[str, float]], best: Callable[[Iterable[float]], float]
) -> str:
    """Returns a table with a row for each layer and a column for each language pair and their mean.

    Args:
        scores: for each language pair the score of each layer, by the layer's number.
        best: which of the scores, as they are printed, is marked with *: ``max`` or ``min``.
    """
    columns = dict(scores)
    if len(columns) > 1:
        pairs = list(scores.values())
        columns["mean"] = {layer: fmean(pair[layer] for pair in pairs) for layer in pairs[0]}
    shown = {
        name: {layer: f"{score:.2f}" for layer, score in column.items()}
        for name, column in columns.items()
    }
    marked = {name: f"{best(column.values()):.2f}" for name, column in columns.items()}
    rows = [
        [layer]
        + ["*" * (shown[name][layer] == marked[name]) + shown[name][layer] for name in shown]
        for layer in next(iter(shown.values()))
    ]
    return plain_table(["layer", *columns], rows)
