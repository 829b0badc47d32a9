"""Types for argparse that read numbers and check their range."""

from __future__ import annotations

import argparse
from math import isnan
from typing import Any, Callable


def whole_number(text: str) -> int:
    """Reads a whole number of either sign, such as a seed or a layer (-1 is the last layer)."""
    return _number(int, text, lambda x: True, "a whole number")


def seed(text: str) -> int:
    """Reads a seed: a whole number that fits into 64 bits, as torch's do."""
    wanted = "a whole number of at most 64 bits"
    return _number(int, text, lambda x: -(2**63) <= x < 2**64, wanted)


def positive_int32(text: str) -> int:
    """Reads a whole number from 1 up that C++ keeps in 32 bits, such as a size of SentencePiece."""
    return _number(int, text, lambda x: 1 <= x < 2**31, f"a whole number from 1 to {2**31 - 1}")


def process_count(text: str) -> int:
    """Reads a number of processes, which all start at once: more would take the machine down."""
    return _number(int, text, lambda x: 1 <= x <= 1024, "a whole number from 1 to 1024")


def positive_whole_number(text: str) -> int:
    """Reads a whole number from 1 up."""
    return _number(int, text, lambda x: x >= 1, "a whole number from 1 up")


def number(text: str) -> float:
    """Reads a number of either sign, such as a threshold."""
    return _number(float, text, lambda x: not isnan(x), "a number")


def positive(text: str) -> float:
    """Reads a number above 0."""
    return _number(float, text, lambda x: 0 < x < float("inf"), "a number above 0")


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    return _number(float, text, lambda x: 0 <= x <= 1, "a number from 0 to 1")


def positive_share(text: str) -> float:
    """Reads a number above 0 and up to 1."""
    return _number(float, text, lambda x: 0 < x <= 1, "a number above 0 and up to 1")


def ratio_limit(text: str) -> float:
    """Reads the limit of a ratio of a larger number to a smaller one: from 1 up, or 0 for none."""
    wanted = "a ratio from 1 up, or 0 for no limit"
    return _number(float, text, lambda x: x == 0 or x >= 1, wanted)


def _number(kind: Callable, text: str, fits: Callable[[Any], bool], wanted: str) -> Any:
    try:
        found = kind(text)
    except ValueError:
        found = None
    if found is None or not fits(found):
        raise argparse.ArgumentTypeError(f"expected {wanted}, not {text!r}")
    return found
