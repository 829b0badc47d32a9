"""BERT's token corruption (Devlin et al. 2019, arXiv 1810.04805, section 3.1).

How many tokens of a sentence are masked depends on its length alone, so that the number of masked
tokens of any set of sentences, a whole update over all ranks for one, is known before it is read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

IGNORED = -1  # target of a position that is not predicted


class MaskingRates(NamedTuple):
    """probability: share of the tokens predicted; of these, ``leave`` stay as they are and
    ``random`` become another token of the vocabulary; the others become ``<mask>``."""

    probability: float = 0.15
    leave: float = 0.1
    random: float = 0.1


def masked_counts(lengths: np.ndarray, rates: MaskingRates) -> np.ndarray:
    """How many of ``lengths`` maskable tokens are predicted: the nearest integer to the share, at
    least one, as in BERT's own data preparation; 0 where there is no token or no masking."""
    if rates.probability <= 0:
        return np.zeros_like(lengths)
    counts = np.floor(lengths * rates.probability + 0.5).astype(np.int64)
    return np.minimum(np.maximum(counts, 1), lengths)


def mask_tokens(
    row: np.ndarray,
    maskable: np.ndarray,
    rates: MaskingRates,
    mask: int,
    random_range: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Corrupts one row.

    Args:
        row: (T,) ids.
        maskable: (T,) bool; special tokens are False.
        rates: how much, and into what.
        mask: the id of ``<mask>``.
        random_range: the ids ``low <= id < high`` that a random replacement is drawn from.
        rng: the only source of randomness.

    Returns:
        The corrupted row (T,), and (T,) the original ids where predicted, else :data:`IGNORED`.
    """
    candidates = np.flatnonzero(maskable)
    count = int(masked_counts(np.array(len(candidates)), rates))
    chosen = rng.choice(candidates, count, replace=False, shuffle=False)
    targets = np.full(len(row), IGNORED, dtype=np.int64)
    targets[chosen] = row[chosen]
    fate = rng.random(count)
    replaced = np.where(fate < rates.random, rng.integers(*random_range, size=count), mask)
    corrupted = row.copy()
    corrupted[chosen] = np.where(fate < 1 - rates.leave, replaced, row[chosen])
    return corrupted, targets
