"""The outcome of every test item, beside the JSON of a result: what a significance test needs.

RESULT.items.npz holds for every language and part of its score, such as `de-en/forward` or
`de-en/score`, a float32 array (N, 2): what each of N items adds to a numerator and a denominator.
The part's score is 100 * numerator / denominator, or for an error rate 100 minus that. Accuracy has
1 or 0 over 1, AER |A & S| + |A & P| over |A| + |S|, F1 of tagging and of mining twice what is right
over what is predicted and what is gold. A language's score is the mean of its parts.
"""

from __future__ import annotations

from typing import Dict

import numpy as np

Items = Dict[str, Dict[str, np.ndarray]]

LOWER_IS_BETTER = frozenset({"AER"})  # the error rates


def accuracy_items(correct: np.ndarray) -> np.ndarray:
    """(N,) bool -> (N, 2)."""
    return np.stack([correct, np.ones(len(correct))], axis=1).astype(np.float32)
