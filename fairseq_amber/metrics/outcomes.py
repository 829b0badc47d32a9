"""Outcomes: what each test item adds to its score, which a paired significance test needs.

An array of outcomes is (N, 2) float32: what each of N test items adds to the numerator and to the
denominator of a score, which is 100 * sum of numerators / sum of denominators (an error rate is 100
minus that):

- accuracy: 1 where the item is right, else 0; over 1
- AER: |A & S| + |A & P|; over |A| + |S|
- F1 of tagging and of mining: twice the number of right predictions; over predictions plus gold
"""

from __future__ import annotations

from typing import Dict

import numpy as np

# Outcomes by language (or language pair) and by part of its score, such as outcomes["de-en"]
# ["forward"] or ["score"]. The score of a language is the mean of the scores of its parts.
Outcomes = Dict[str, Dict[str, np.ndarray]]

LOWER_IS_BETTER = frozenset({"AER"})  # the metrics that are error rates


def accuracy_outcomes(correct: np.ndarray) -> np.ndarray:
    """Returns the outcomes of an accuracy.

    Args:
        correct: (N,) bool, whether each item is right.

    Returns:
        (N, 2) float32: 1 or 0, over 1.
    """
    return np.stack([correct, np.ones(len(correct))], axis=1).astype(np.float32)
