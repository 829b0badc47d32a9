"""Aligned text: line i of one file translates line i of the other, and how a folder names them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Collection, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines

_PAIR = re.compile(r"(?P<split>[^.]+)\.(?P<source>[^.-]+)-(?P<target>[^.-]+)\.(?P<language>[^.]+)")


class ParallelFiles(NamedTuple):
    """Two files of aligned lines; `name` is their language pair, such as de-en."""

    name: str
    source: Path
    target: Path


def read_parallel(source: str | Path, target: str | Path) -> tuple[list[str], list[str]]:
    """Both sides of a parallel text, of equal length.

    Raises:
        UserError: as `read_lines`, or the two files differ in their number of lines.
    """
    sides = read_lines(source), read_lines(target)
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {len(sides[0])} lines but {target} has {len(sides[1])}; "
            "line i of one must translate line i of the other"
        )
    return sides


def read_order(path: str | Path, count: int) -> list[int]:
    """A permutation of `count` line numbers, counted from 0, one a line.

    Raises:
        UserError: as `read_lines`, or a number is missing, is none or occurs twice.
    """
    lines = read_lines(path)
    if len(lines) != count:
        raise UserError(f"{path} has {len(lines)} numbers for {count} lines; give one for each")
    seen: dict[int, int] = {}
    for place, line in enumerate(lines, 1):
        text = line.strip()
        number = int(text) if text.isdecimal() else count
        if number >= count:
            raise UserError(f"{path}:{place}: expected a line's number, 0 to {count - 1}: {line!r}")
        if number in seen:
            raise UserError(f"{path}:{place}: {number} is in line {seen[number]}, too")
        seen[number] = place
    return list(seen)


def language_of(path: str | Path) -> str | None:
    """The language a file is named after: de for x.de-en.de; None for other names."""
    match = _PAIR.fullmatch(Path(path).name)
    return match["language"] if match else None


def language_pair(source: str | Path, target: str | Path) -> str:
    """The pair two files are named after: x.de-en.de and x.de-en.en are de-en; else their names."""
    names = Path(source).name, Path(target).name
    matches = [_PAIR.fullmatch(name) for name in names]
    if matches[0] and matches[1] and matches[0]["language"] != matches[1]["language"]:
        return f"{matches[0]['language']}-{matches[1]['language']}"
    return f"{names[0]}-{names[1]}"


def find_parallel(folder: str | Path, split: str) -> list[ParallelFiles]:
    """All pairs `<split>.<src>-<tgt>.{<src>,<tgt>}` of a folder, sorted by name.

    Tatoeba's files, `tatoeba.deu-eng.{deu,eng}`, are the split tatoeba.

    Raises:
        UserError: the folder holds no such pair, or one side of a pair alone.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder} is not a folder")
    sides: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(Path(folder).iterdir()):
        match = _PAIR.fullmatch(path.name)
        if match and match["split"] == split:
            pair = match["source"], match["target"]
            if match["language"] in pair:
                sides.setdefault(pair, {})[match["language"]] = path
    if not sides:
        found = {m["split"] for m in map(_PAIR.fullmatch, sorted(os.listdir(folder))) if m}
        there = f"; --split may be {', '.join(sorted(found))}" if found else ""
        raise UserError(f"{folder} has no files {split}.<src>-<tgt>.<lang>{there}")
    for pair, files in sides.items():
        for language in pair:
            if language not in files:
                raise UserError(f"{folder} lacks {split}.{'-'.join(pair)}.{language}")
    return [
        ParallelFiles("-".join(pair), files[pair[0]], files[pair[1]])
        for pair, files in sides.items()
    ]


def choose_pairs(
    wanted: str | None, found: Collection[str], folder: Path, *, flag: str = "--pairs"
) -> list[str]:
    """The language pairs that are wanted, such as "de-en,fr-en", of those found; None means all.

    Raises:
        UserError: one is not among them.
    """
    names = list(found)
    if wanted is not None:
        names = list(dict.fromkeys(name.strip() for name in wanted.split(",")))
    for name in names:
        if name not in found:
            raise UserError(f"{flag}: {folder} has no pair {name!r}; it has {', '.join(found)}")
    return names
