"""The methods of word alignment by name, what they score by, and the defaults of their settings."""

from __future__ import annotations

# What the score of two words is, by method.
SCALES = {
    "similarity": "cosine",
    "itermax": "cosine",
    "attention": "product of the two attention maps",
    "transport": "mass, as a share of the smaller word's",
    "softmax": "harmonic mean of both directions' probabilities",
    "entmax": "harmonic mean of both directions' probabilities",
}
METHODS = tuple(SCALES)

TEMPERATURES = {"softmax": 0.001, "entmax": 0.003}  # of cosines
THRESHOLDS = {"softmax": 0.001, "entmax": 0.0}


def default_layer(method: str, depth: int) -> int:
    """Returns the layer whose states a method compares where none is chosen.

    It is two thirds of the depth, rounded up: layer 8 of 12, as in SimAlign (Jalili Sabet et al.,
    2020) and awesome-align (Dou and Neubig, 2021), 16 of 24 and 3 of 4. ``attention`` has the last
    layer only.

    Args:
        method: one of ``METHODS``.
        depth: the number of layers of the model.
    """
    return depth if method == "attention" else -(-2 * depth // 3)
