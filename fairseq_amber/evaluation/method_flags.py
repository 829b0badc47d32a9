"""Command-line flags of some methods of alignment alone."""

from __future__ import annotations

import argparse
from typing import Any, Callable

from fairseq_amber.errors import UserError

_METHODS = {
    "alpha": ("itermax",),
    "iterations": ("itermax", "transport"),
    "epsilon": ("transport",),
    "reach": ("transport",),
}


def add_method_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags; those that are not given leave the defaults to `Aligner`."""
    group = parser.add_argument_group("of --method itermax and transport")
    group.add_argument(
        "--iterations",
        type=_count,
        metavar="N",
        help="itermax: how often best matches are added, 1 being similarity (default: 2, as in "
        "SimAlign); transport: of Sinkhorn's algorithm: the lower the temperature, the more it "
        "takes (default: 50)",
    )
    group.add_argument(
        "--alpha",
        type=_share,
        metavar="A",
        help="itermax: what the similarity of a word that has a link to one that has none is "
        "multiplied by; less gives fewer second links (default: 0.9, as in SimAlign)",
    )
    group.add_argument(
        "--epsilon",
        type=_positive,
        metavar="E",
        help="transport: temperature, in units of the cost, 1 - cosine: less makes a sharper plan "
        "(default: 0.1)",
    )
    group.add_argument(
        "--reach",
        type=_positive,
        metavar="R",
        help="transport: weight, in units of the cost, of the KL divergence that keeps each "
        "subword's mass equal (unbalanced transport): the less, the more mass stays where no "
        "partner is; without it, all mass goes (balanced transport)",
    )


def method_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The flags that are given, as arguments of `Aligner`.

    Raises:
        UserError: some are for another method.
    """
    given = {name: getattr(args, name) for name in _METHODS if getattr(args, name) is not None}
    for name in given:
        if args.method not in _METHODS[name]:
            raise UserError(
                f"--{name}: for --method {' and '.join(_METHODS[name])} alone, but the method is "
                f"{args.method}"
            )
    return given


def _positive(text: str) -> float:
    return _number(float, text, lambda number: 0 < number < float("inf"), "a number above 0")


def _share(text: str) -> float:
    return _number(float, text, lambda number: 0 <= number <= 1, "a number from 0 to 1")


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
