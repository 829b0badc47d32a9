"""Command-line flags of some methods of alignment alone."""

from __future__ import annotations

import argparse
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.number_flags import count, positive, share

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
        type=count,
        metavar="N",
        help="itermax: how often best matches are added, 1 being similarity (default: 2, as in "
        "SimAlign); transport: of Sinkhorn's algorithm: the lower the temperature, the more it "
        "takes (default: 50)",
    )
    group.add_argument(
        "--alpha",
        type=share,
        metavar="A",
        help="itermax: what the similarity of a word that has a link to one that has none is "
        "multiplied by; less gives fewer second links (default: 0.9, as in SimAlign)",
    )
    group.add_argument(
        "--epsilon",
        type=positive,
        metavar="E",
        help="transport: temperature, in units of the cost, 1 - cosine: less makes a sharper plan "
        "(default: 0.1)",
    )
    group.add_argument(
        "--reach",
        type=positive,
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
