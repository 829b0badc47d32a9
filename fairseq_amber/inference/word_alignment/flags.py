"""Command-line flags of the layers, the units and the methods of alignment."""

from __future__ import annotations

import argparse
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.defaults import TEMPERATURES, THRESHOLDS
from fairseq_amber.number_flags import positive, positive_whole_number, share, whole_number
from fairseq_amber.tokenizers.word_boundaries import KINDS

_METHODS = {
    "alpha": ("itermax",),
    "iterations": ("itermax", "transport"),
    "epsilon": ("transport",),
    "reach": ("transport",),
    "temperature": ("softmax", "entmax"),
    "threshold": ("softmax", "entmax"),
    "dot_product": ("softmax", "entmax"),
}


def add_layer_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the layer, or several of them."""
    parser.add_argument(
        "--layer",
        type=whole_number,
        help="layer of the states: 1 is the first, -1 the last, 0 the embeddings; by default two "
        "thirds of the depth, such as 8 of 12 layers; attention reads the last layer only",
    )
    parser.add_argument(
        "--layers",
        metavar="LAYERS",
        help="write the links of each of these layers, from one pass over the text: all (from 0, "
        "the embeddings), 1,4,8 or 1-8. --output is then a folder with layer-<n>.align for each "
        "layer, or with a folder layer-<n> where --folder or --corpus is given; fairseq-amber aer "
        "makes one table of it",
    )


def add_unit_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what the links number."""
    parser.add_argument(
        "--units",
        choices=("words", "subwords"),
        default="words",
        help="units that the links number. words: the words of a line, see "
        "--word-boundaries; subwords: the subwords that fairseq-amber prepare makes of it, for "
        "text without spaces. Links for training need the units of its --l2-units",
    )
    parser.add_argument(
        "--word-boundaries",
        choices=(*KINDS, "white-space"),
        default="spaces",
        help="how to split a line into words. spaces: at the spaces and tabs of ASCII, so that the "
        "tokens of a tokenised file keep their numbers, also those that hold U+00A0; white-space: "
        "also at the other spaces of Unicode, such as U+3000; punctuation: each mark of "
        "punctuation and each Chinese character is a word too, as in BERT's basic tokeniser; "
        "moses: by the Moses tokeniser",
    )
    parser.add_argument(
        "--as-written",
        action="store_true",
        help="encode the words of scripts without spaces, such as Chinese, Japanese and Thai, as "
        "in running text, on which encoders are trained: without SentencePiece's sign for a space "
        "in front of each word. The links number the same words",
    )
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-language",
            metavar="LANG",
            help=f"language of --{side} for --word-boundaries moses, two letters such as de; by "
            "default the language in the name of the file",
        )


def add_method_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags. Where a flag is not given, the default of ``Aligner`` holds."""
    group = parser.add_argument_group("settings of single methods")
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
    group.add_argument(
        "--temperature",
        type=positive,
        metavar="T",
        help="softmax, entmax: divides the cosines; a lower value makes sharper probabilities and "
        f"fewer links (default: {_listed(TEMPERATURES)}; 1 with --dot-product)",
    )
    group.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="softmax, entmax: links need a probability above this one in both directions "
        f"(default: {_listed(THRESHOLDS)})",
    )
    group.add_argument(
        "--dot-product",
        action="store_true",
        default=None,
        help="softmax, entmax: take the products of the states, as awesome-align does, in place of "
        "their cosines; their size depends on the encoder",
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
                f"--{name.replace('_', '-')} is only for --method {' and '.join(_METHODS[name])}, "
                f"but the method is {args.method}"
            )
    return given


def _listed(defaults: dict[str, float]) -> str:
    """Names the default of each method, such as ``0.1 for softmax, 0.2 for entmax``."""
    return ", ".join(f"{value:g} for {method}" for method, value in defaults.items())
