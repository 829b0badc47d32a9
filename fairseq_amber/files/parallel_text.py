"""Reads parallel text, and finds the files of a folder that hold it.

Parallel text is a pair of files in which line i of one translates line i of the other. In a folder,
the two are named ``<split>.<src>-<tgt>.<src>`` and ``<split>.<src>-<tgt>.<tgt>``, and may be
compressed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Collection, NamedTuple

from fairseq_amber.errors import UserError, one_line, warn
from fairseq_amber.files.compressed import plain_name
from fairseq_amber.files.pair_names import find_languages, is_language_code
from fairseq_amber.files.text import LINES_PER_BLOCK, read_lines
from fairseq_amber.files.text_contents import index_column, is_visible, warn_of_contents

_SEPARATOR = re.compile(r"(?:^|[ \t])\|\|\|(?=[ \t]|$)")  # of the two sentences in one line


class ParallelFiles(NamedTuple):
    """The two files of a parallel text.

    Attributes:
        name: the language pair, such as ``de-en``.
        source: the file in the source language.
        target: the file in the target language.
    """

    name: str
    source: Path
    target: Path


def read_parallel(source: str | Path, target: str | Path) -> tuple[list[str], list[str]]:
    """Returns the lines of both sides of a parallel text.

    Raises:
        UserError: a file cannot be read as text (see ``read_lines``), or the two files differ in
            their number of lines.
    """
    sides = read_lines(source), read_lines(target)
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{source} has {len(sides[0])} lines but {target} has {len(sides[1])}; "
            "line i of one must translate line i of the other"
        )
    for path, lines in zip((source, target), sides):
        visible = any(map(is_visible, lines))
        warn_of_contents(path, visible, index_column(lines[:LINES_PER_BLOCK]))
    return sides


def read_joined(path: str | Path) -> tuple[list[str], list[str]]:
    """Returns both sides of a parallel text in one file, with ``source ||| target`` in each line.

    This is what fast_align and awesome-align read. A side may be empty, as a line of a file of one
    side may be.

    Raises:
        UserError: the file cannot be read as text (see ``read_lines``), or a line has not exactly
            one ``|||`` between spaces.
    """
    lines = read_lines(path)
    sources, targets = [], []
    for number, line in enumerate(lines, 1):
        parts = _SEPARATOR.split(line)
        if len(parts) != 2:
            raise UserError(
                f"{path}:{number}: expected source ||| target, but the line has "
                f"{len(parts) - 1} times ||| between spaces: {one_line(line[:60])!r}"
            )
        sources.append(parts[0].strip(" \t"))
        targets.append(parts[1].strip(" \t"))
    visible = any(map(is_visible, (*sources, *targets)))
    warn_of_contents(path, visible, index_column(lines[:LINES_PER_BLOCK]))
    return sources, targets


def read_order(path: str | Path, count: int) -> list[int]:
    """Reads a permutation of ``count`` line numbers, which start at 0; one number per line.

    Raises:
        UserError: the file cannot be read as text (see ``read_lines``), has more or fewer lines
            than ``count``, or a line is not a line number or repeats another.
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
    """Returns the language in a file's name: ``de`` for ``x.de-en.de``, None if there is none."""
    parts = _parts(Path(path).name)
    return parts[2] if parts and find_languages(parts[1], parts[2:]) else None


def language_pair(source: str | Path, target: str | Path) -> str:
    """Returns the language pair in the names of two files; their joined names if they name no pair.

    ``x.de-en.de`` and ``x.de-en.en`` are ``de-en``; ``a.txt`` and ``b.txt`` are ``a.txt-b.txt``.
    """
    languages = language_of(source), language_of(target)
    if all(languages) and languages[0] != languages[1]:
        return f"{languages[0]}-{languages[1]}"
    return one_line(f"{Path(source).name}-{Path(target).name}")


def find_parallel(folder: str | Path, split: str) -> list[ParallelFiles]:
    """Finds all pairs of files ``<split>.<src>-<tgt>.{<src>,<tgt>}`` in a folder.

    The files of Tatoeba, ``tatoeba.deu-eng.{deu,eng}``, have the split ``tatoeba``. It warns of the
    split's files that end in another language than those of their pair.

    Returns:
        The pairs, sorted by name.

    Raises:
        UserError: the folder holds no such pair, only one side of a pair, or a side twice.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder} is not a folder")
    splits = set()
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(Path(folder).iterdir()):
        parts = _parts(path.name)
        if parts is None or path.is_dir():
            continue
        splits.add(parts[0])
        if parts[0] == split:
            other = found.setdefault(parts[1], {}).setdefault(parts[2], path)
            if other != path:
                raise UserError(f"{folder} holds both {other.name} and {path.name}; remove one")
    pairs, left = [], []
    for pair, files in found.items():
        name = find_languages(pair, files)
        sides = name.languages if name else ()
        left += [files[end].name for end in files if end not in sides and is_language_code(end)]
        for language in sides:
            if language not in files:
                raise UserError(f"{folder} lacks {split}.{pair}.{language}")
        if sides:
            pairs.append(ParallelFiles(pair, *(files[language] for language in sides)))
    hint = ""
    if left:
        hint = f": {', '.join(left)} ends in no language of its pair, as {split}.de-en.de does"
    if not pairs:
        also = f"; --split may be {', '.join(sorted(splits))}" if splits - {split} else ""
        raise UserError(f"{folder} has no files {split}.<src>-<tgt>.<lang>{hint or also}")
    if left:
        warn(f"{folder}: not all is taken{hint}; rename what is text")
    return pairs


def _parts(name: str) -> tuple[str, str, str] | None:
    """Returns the split, the pair and the ending in a file's name; None if it has no such form."""
    parts = plain_name(name).split(".")
    if len(parts) == 3 and all(parts) and "-" in parts[1].strip("-"):
        return parts[0], parts[1], parts[2]
    return None


def choose_pairs(
    wanted: str | None, found: Collection[str], folder: Path, *, flag: str = "--pairs"
) -> list[str]:
    """Chooses some of the language pairs that a folder has.

    Args:
        wanted: the names of the pairs, such as ``de-en,fr-en``; None chooses all.
        found: the names of the pairs that the folder has.
        folder: the folder, which an error names.
        flag: the command-line flag behind ``wanted``, which an error names.

    Raises:
        UserError: the folder lacks a wanted pair.
    """
    names = list(found)
    if wanted is not None:
        names = list(dict.fromkeys(name.strip() for name in wanted.split(",")))
    for name in names:
        if name not in found:
            raise UserError(f"{flag}: {folder} has no pair {name!r}; it has {', '.join(found)}")
    return names
