"""Numbers on the command line within their ranges: types for argparse."""

from __future__ import annotations

import argparse
from typing import Any, Callable


def count(text: str) -> int:
    """A whole number from 1 up."""
    return _number(int, text, lambda number: number >= 1, "a whole number from 1 up")


def positive(text: str) -> float:
    """A number above 0."""
    return _number(float, text, lambda number: 0 < number < float("inf"), "a number above 0")


def share(text: str) -> float:
    """A number from 0 to 1."""
    return _number(float, text, lambda number: 0 <= number <= 1, "a number from 0 to 1")


def _number(kind: Callable, text: str, fits: Callable[[Any], bool], wanted: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not fits(number):
        raise argparse.ArgumentTypeError(f"expected {wanted}, not {text!r}")
    return number
