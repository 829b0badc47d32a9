"""``fairseq-amber user-dir`` prints where fairseq finds the plugin."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "print the path to give to fairseq's --user-dir"
EXAMPLE = 'fairseq-train DATA_BIN --user-dir "$(fairseq-amber user-dir)" --arch amber_tiny ...'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds no flags."""


def run(args: argparse.Namespace) -> None:
    """Prints the absolute path of the installed package."""
    print(Path(__file__).resolve().parent)
