"""Command-line flags of alignment by optimal transport."""

from __future__ import annotations

import argparse
from typing import Any, Callable

from fairseq_amber.errors import UserError

_NAMES = ("epsilon", "iterations", "reach")


def add_transport_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags; those that are not given leave the defaults to `Aligner`."""
    group = parser.add_argument_group("of --method transport")
    group.add_argument(
        "--epsilon",
        type=_positive,
        metavar="E",
        help="temperature, in units of the cost, 1 - cosine: less makes a sharper plan "
        "(default: 0.1)",
    )
    group.add_argument(
        "--iterations",
        type=_count,
        metavar="N",
        help="of Sinkhorn's algorithm: the lower the temperature, the more it takes (default: 50)",
    )
    group.add_argument(
        "--reach",
        type=_positive,
        metavar="R",
        help="weight, in units of the cost, of the KL divergence that keeps each subword's mass "
        "equal: the less, the more mass stays where no partner is; without it, all mass goes",
    )


def transport_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The flags that are given, as arguments of `Aligner`.

    Raises:
        UserError: some are, and the method is another.
    """
    given = {name: getattr(args, name) for name in _NAMES if getattr(args, name) is not None}
    if given and args.method != "transport":
        flags = " and ".join(f"--{name}" for name in given)
        raise UserError(f"{flags}: for --method transport alone, but the method is {args.method}")
    return given


def _positive(text: str) -> float:
    return _number(float, text, lambda number: 0 < number < float("inf"), "a number above 0")


def _count(text: str) -> int:
    return _number(int, text, lambda number: number >= 1, "a whole number from 1 up")


def _number(kind: Callable, text: str, fits: Callable[[Any], bool], wanted: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not fits(number):
        raise argparse.ArgumentTypeError(f"expected {wanted}, not {text!r}")
    return number
