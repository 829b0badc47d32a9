"""Checks the paths among the arguments of a command, before it runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Iterator, Sequence

from fairseq_amber.errors import UserError


def check_nothing_empty(argv: Sequence[str]) -> None:
    """Checks that no argument is empty: as a path, it would stand for the current folder.

    Args:
        argv: the arguments as they were given.

    Raises:
        UserError: one is empty; only the name of a system may be.
    """
    before = ""
    for argument in argv:
        flag, equals, value = argument.partition("=")
        if equals and flag.startswith("--"):
            before, argument = flag, value
        if not argument and before != "--name":
            raise UserError(
                f"the argument after {before} is empty; give a value, or leave it out (was a "
                "variable of the shell not set?)"
            )
        before = argument


def check_apart(args: argparse.Namespace) -> None:
    """Checks that no file that a command writes is one that it reads, and none is written twice.

    A file is the same under each of its names: with ``..``, through a link, or as a hard link.
    Folders are not compared, because results may lie beside what they were made from.

    Args:
        args: the parsed arguments; ``writes`` names those that are outputs.

    Raises:
        UserError: two of them are one file.
    """
    outputs = {name: getattr(args, name) for name in args.writes}
    given = {name: path for name, path in outputs.items() if path is not None}
    inputs = [path for path in _inputs(args) if os.path.isfile(path)]
    places: dict[str, str] = {}
    for name, output in given.items():
        for path in inputs if os.path.isfile(output) else ():
            if os.path.samefile(output, path):
                raise UserError(
                    f"cannot write {output}: this command reads {path}, which is the same file; "
                    "name another output"
                )
        place = os.path.realpath(output)
        if place in places and not place.startswith(("/dev/", "/proc/")):
            raise UserError(
                f"--{places[place]} and --{name} are both {output}; name another output"
            )
        places[place] = name


def _inputs(args: argparse.Namespace) -> Iterator[str | Path]:
    """Yields the paths among the arguments that are not written."""
    for name, value in vars(args).items():
        for one in _listed(value) if name not in args.writes else ():
            if isinstance(one, str) and name != "input":
                one = one.partition("=")[2]  # NAME=FILE
            if isinstance(one, (str, Path)) and one:
                yield one


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
