"""Command-line flags that only some alignment methods have."""

from __future__ import annotations

import argparse
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.number_flags import positive, positive_whole_number, share

_METHODS = {
    "alpha": ("itermax",),
    "iterations": ("itermax", "transport"),
    "epsilon": ("transport",),
    "reach": ("transport",),
}


def add_method_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags. Where a flag is not given, the default of ``Aligner`` holds."""
    group = parser.add_argument_group("settings of --method itermax and transport")
    group.add_argument(
        "--iterations",
        type=positive_whole_number,
        metavar="N",
        help="itermax: number of rounds that add best matches; 1 equals similarity (default: 2, as "
        "in SimAlign); transport: iterations of Sinkhorn's algorithm; a lower --epsilon needs more "
        "(default: 50)",
    )
    group.add_argument(
        "--alpha",
        type=share,
        metavar="A",
        help="itermax: factor for the similarity of two words if one of them has a link already; a "
        "lower value gives fewer second links (default: 0.9, as in SimAlign)",
    )
    group.add_argument(
        "--epsilon",
        type=positive,
        metavar="E",
        help="transport: temperature, in units of the cost, which is 1 - cosine; a lower value "
        "makes a sharper plan (default: 0.1)",
    )
    group.add_argument(
        "--reach",
        type=positive,
        metavar="R",
        help="transport: weight, in units of the cost, of the KL divergence that keeps the masses "
        "of all subwords equal (unbalanced transport); the lower it is, the more mass of subwords "
        "without a partner stays unmoved; by default all mass moves (balanced transport)",
    )


def method_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the flags that are given, as arguments of ``Aligner``.

    Raises:
        UserError: a flag is not for the chosen method.
    """
    given = {name: getattr(args, name) for name in _METHODS if getattr(args, name) is not None}
    for name in given:
        if args.method not in _METHODS[name]:
            raise UserError(
                f"--{name} is only for --method {' and '.join(_METHODS[name])}, but the method is "
                f"{args.method}"
            )
    return given
