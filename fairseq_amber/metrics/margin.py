"""Margin scores: how far a pair of sentences stands out among the neighbours of both.

Artetxe and Schwenk (2019), Margin-based Parallel Corpus Mining with Multilingual Sentence
Embeddings, arXiv 1811.01136, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

MARGINS = ("ratio", "distance", "absolute")


def margin_scores(
    cosine: Tensor,
    source_mean: Tensor,
    target_mean: Tensor,
    margin: str,
    *,
    smallest: float | None = None,
) -> Tensor:
    """Computes the margin scores of pairs of sentences.

    With r(x) the mean cosine of a sentence with its k nearest neighbours on the other side, and
    b(x, y) = (r(x) + r(y)) / 2:

        absolute(x, y) = cos(x, y)
        distance(x, y) = cos(x, y) - b(x, y)
        ratio(x, y)    = cos(x, y) / b(x, y)

    Args:
        cosine: cos(x, y), of any shape.
        source_mean: r(x), of a shape that broadcasts with ``cosine``, as ``target_mean``.
        target_mean: r(y).
        margin: one of ``MARGINS``.
        smallest: the least denominator of the ratio, which replaces a smaller one. By default, a
            ratio whose denominator is not positive is -inf, since it has no meaning.

    Returns:
        Scores in the shape and dtype of ``cosine``.

    Raises:
        ValueError: ``margin`` is not one of ``MARGINS``.
    """
    if margin not in MARGINS:
        raise ValueError(f"margin {margin!r} is not one of {', '.join(MARGINS)}")
    if margin == "absolute":
        return cosine
    base = (source_mean + target_mean) / 2
    if margin == "distance":
        return cosine - base
    if smallest is not None:
        return cosine / base.clamp(min=smallest)
    return torch.where(base > 0, cosine / base, torch.full_like(base, float("-inf")))
