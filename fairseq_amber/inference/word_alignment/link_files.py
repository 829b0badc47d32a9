"""Reads files of word alignments in three formats, and writes Pharaoh's.

Pharaoh's format has one line for each sentence pair, such as ``0-0 1-2 2p1``. The source index
comes first, and words are counted from 0. ``-`` marks a sure link and ``p`` a possible one. TALP's
format is the same, but ``s`` also marks a sure link, ``:`` and a confidence may follow a link, and
words are counted from 1; index 0 means no word. Other tools write ``?`` for a possible link, or the
mark behind the link: ``2-1:P`` or ``2-1P``. SimAlign writes the number of the pair and a tab before
the links, and with its scores ``2-1-.8-.9``; fast_align's scores of sentences follow ``|||``.

NAACL's format (Mihalcea and Pedersen, 2003) has one line for each link. It gives the numbers of the
sentence pair, of the source word and of the target word, counted from 1; word 0 means no word. Then
follow ``S`` for a sure link, which is the default, or ``P`` for a possible one, and perhaps a
confidence.

Links to no word are skipped.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.metrics.word_alignment import Link, Links
from fairseq_amber.progress import Progress

_MOST_PAIRS = 10_000_000  # a higher number is not that of a sentence pair of a test set

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_LINK = re.compile(
    rf"""([0-9]{{1,9}}) ([-SPsp?]) ([0-9]{{1,9}})     # a mark between the indices
    (?: :?([SPsp?])                     # or behind them
    | (?:-\.[0-9]+)+                    # SimAlign's scores
    | :{_NUMBER} (?: :([SPsp?]) | :\S* )?
    )?""",
    flags=re.ASCII | re.VERBOSE,
)
_SENTENCE_SCORE = re.compile(rf"\s*\|\|\|\s*{_NUMBER}\s*$", flags=re.ASCII)
_PAIR_NUMBER = re.compile(r"\s*([0-9]{1,9})(?:\s+|$)", flags=re.ASCII)
_NAACL = re.compile(
    r"\s*([0-9]{1,9})\s+([0-9]{1,9})\s+([0-9]{1,9})(?:\s+([SPsp]))?(?:\s+[0-9.eE+-]+)?\s*",
    flags=re.ASCII,
)


class AlignmentFile(NamedTuple):
    """The links in a file.

    Attributes:
        pairs: the links of each sentence pair.
        complete: whether the file has an entry for each sentence pair. NAACL's format has none for
            pairs without links, so that such pairs at the end are missing.
    """

    pairs: list[Links]
    complete: bool


def parse_pharaoh(line: str, *, one_based: bool = False) -> Links:
    """Reads one line in Pharaoh's or TALP's format, such as ``0-0 1p2``.

    Args:
        line: the line.
        one_based: whether the line counts words from 1. The links that are returned count from 0.

    Raises:
        UserError: an entry is not a link.
    """
    sure, possible = set(), set()
    for entry in _SENTENCE_SCORE.sub("", line).split():
        match = _LINK.fullmatch(entry)
        if match is None:
            raise UserError(
                f"'{entry}' is not a link; expected i-j, i-j:S or i-j:0.5 (sure), ipj or i-j:P "
                "(possible)"
            )
        link = _link(match[1], match[3], one_based, entry)
        if link is not None:
            possible.add(link)
            if match[2] in "-sS" and (match[4] or match[5] or "S") in "Ss":
                sure.add(link)
    return Links(frozenset(sure), frozenset(possible))


def format_pharaoh(links: Iterable[Link]) -> str:
    """Returns one line in Pharaoh's format, such as ``0-0 1-2``: sorted links, without newline."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


def read_alignments(path: str | Path, *, one_based: bool = False) -> AlignmentFile:
    """Reads a file of word alignments. Its first link tells which format it has.

    Args:
        path: the file.
        one_based: whether a file in Pharaoh's or TALP's format counts words from 1, where index 0
            means no word.

    Raises:
        UserError: the file cannot be read, or a line has another format.
    """
    lines = read_lines(path)
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("# Sentence pair"):
        raise UserError(
            f"{path} is Giza's file of one direction (A3); make links i-j of both directions, such "
            "as with symal of Moses"
        )
    if _NAACL.fullmatch(first):
        return AlignmentFile(_read_naacl(path, lines), complete=False)
    if _PAIR_NUMBER.match(first):
        lines = _without_numbers(path, lines)
    parse = _located(path, lambda line: parse_pharaoh(line, one_based=one_based))
    return AlignmentFile([parse(*line) for line in _numbered(path, lines)], complete=True)


def _without_numbers(path: str | Path, lines: list[str]) -> list[str]:
    """Removes the number of the sentence pair that each line begins with.

    Raises:
        UserError: the numbers are not those of the lines, counted from 0 or 1.
    """
    matches = [_PAIR_NUMBER.match(line) for line in lines]
    first = int(matches[0][1]) if matches[0] else 0
    for index, match in enumerate(matches):
        if match is None or first > 1 or int(match[1]) != index + first:
            begins = f"begins with {match[1]}" if match else "has no number"
            raise UserError(
                f"{path}:{index + 1}: the line {begins}, but numbers of sentence pairs must count "
                "all lines in order, from 0 or 1; sort the lines, add those that are missing and "
                "remove the numbers"
            )
    return [line[match.end() :] for line, match in zip(lines, matches) if match]


def _read_naacl(path: str | Path, lines: list[str]) -> list[Links]:
    """Reads the lines of a file in NAACL's format."""
    sure: dict[int, set[Link]] = {}
    possible: dict[int, set[Link]] = {}

    def parse(line: str) -> None:
        if not line.strip():
            return
        match = _NAACL.fullmatch(line)
        if match is None:
            raise UserError(f"'{line.strip()}' is not a link; expected PAIR SOURCE TARGET [S|P]")
        pair = int(match[1])
        if pair == 0:
            raise UserError(f"'{line.strip()}': NAACL's format counts sentence pairs from 1")
        if pair > _MOST_PAIRS:
            raise UserError(f"'{line.strip()}': {pair} cannot be the number of a sentence pair")
        link = _link(match[2], match[3], True, line.strip())
        for kind in (possible, sure) if match[4] not in ("P", "p") else (possible,):
            kind.setdefault(pair, set()).update(() if link is None else [link])

    located = _located(path, parse)
    for numbered in _numbered(path, lines):
        located(*numbered)
    return [
        Links(frozenset(sure.get(pair, ())), frozenset(possible.get(pair, ())))
        for pair in range(1, max(possible) + 1)
    ]


def _numbered(path: str | Path, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yields the lines with their numbers, counted from 1, and shows a progress bar."""
    return enumerate(Progress(lines, unit="lines", what=f"reading {path}"), 1)


def _link(source: str, target: str, one_based: bool, entry: str) -> Link | None:
    """Returns a link counted from 0; None for a link to no word."""
    link = int(source) - one_based, int(target) - one_based
    if max(link) < 0:
        raise UserError(f"'{entry}' counts from 0, but the file should count from 1")
    return link if min(link) >= 0 else None


def _located(path: str | Path, parse: Callable) -> Callable:
    """Makes the errors of ``parse`` name the file and the line."""

    def parse_numbered(number: int, line: str):
        try:
            return parse(line)
        except UserError as error:
            raise UserError(f"{path}:{number}: {error}") from None

    return parse_numbered
