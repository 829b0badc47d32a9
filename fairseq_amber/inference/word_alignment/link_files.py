"""Files of word alignments: what is written, and what is read.

Pharaoh's format holds one sentence pair a line, source index first, words counted from 0:
`0-0 1-2 2p1`. `-` marks a sure link and `p` a possible one. TALP's is the same with `s` also for
sure, `:` and a confidence after a link, and words counted from 1, 0 being no word. Others write `?`
for possible.

NAACL's format (Mihalcea and Pedersen, 2003) holds one link a line: the numbers of the sentence
pair, of the source word and of the target word, counted from 1, where word 0 is no word; then `S`
(sure, also if it is left out) or `P` (possible), and perhaps a confidence.

Links to no word are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines
from fairseq_amber.metrics.word_alignment import Link, Links
from fairseq_amber.progress import Progress

_LINK = re.compile(r"([0-9]+)([-sp?])([0-9]+)(?::\S*)?", flags=re.ASCII)
_NAACL = re.compile(
    r"\s*([0-9]+)\s+([0-9]+)\s+([0-9]+)(?:\s+([SP]))?(?:\s+[0-9.eE+-]+)?\s*", flags=re.ASCII
)


class AlignmentFile(NamedTuple):
    """The links of sentence pair after sentence pair.

    `complete`: whether the file says how many there are; NAACL's lacks the last if they have none.
    """

    pairs: list[Links]
    complete: bool


def parse_pharaoh(line: str, *, one_based: bool = False) -> Links:
    """Reads `0-0 1p2`: sure links (`-`) and possible ones (`p`), source index first.

    Args:
        one_based: the file counts words from 1; links come back counted from 0.

    Raises:
        UserError: on an entry that is no link.
    """
    sure, possible = set(), set()
    for entry in line.split():
        match = _LINK.fullmatch(entry)
        if match is None:
            raise UserError(f"'{entry}' is no link; expected i-j (sure) or ipj (possible)")
        link = _link(match[1], match[3], one_based, entry)
        if link is not None:
            possible.add(link)
            if match[2] in "-s":
                sure.add(link)
    return Links(frozenset(sure), frozenset(possible))


def format_pharaoh(links: Iterable[Link]) -> str:
    """`0-0 1-2`, sorted: one line of a Pharaoh file, without its newline."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


def read_alignments(path: str | Path, *, one_based: bool = False) -> AlignmentFile:
    """Reads a file in the format of Pharaoh or TALP, or in NAACL's, by its first link.

    Args:
        one_based: a file of the first two counts words from 1, and 0 is no word.

    Raises:
        UserError: the file cannot be read, or names the file and line that is not in the format.
    """
    lines = read_lines(path)
    first = next((line for line in lines if line.strip()), "")
    if _NAACL.fullmatch(first):
        return AlignmentFile(_read_naacl(path, lines), complete=False)
    parse = _located(path, lambda line: parse_pharaoh(line, one_based=one_based))
    return AlignmentFile([parse(*line) for line in _numbered(path, lines)], complete=True)


def _read_naacl(path: str | Path, lines: list[str]) -> list[Links]:
    sure: dict[int, set[Link]] = {}
    possible: dict[int, set[Link]] = {}

    def parse(line: str) -> None:
        if not line.strip():
            return
        match = _NAACL.fullmatch(line)
        if match is None:
            raise UserError(f"'{line.strip()}' is no link; expected PAIR SOURCE TARGET [S|P]")
        pair = int(match[1])
        if pair == 0:
            raise UserError(f"'{line.strip()}': NAACL's format counts sentence pairs from 1")
        link = _link(match[2], match[3], True, line.strip())
        for kind in (possible, sure) if match[4] != "P" else (possible,):
            kind.setdefault(pair, set()).update(() if link is None else [link])

    located = _located(path, parse)
    for numbered in _numbered(path, lines):
        located(*numbered)
    return [
        Links(frozenset(sure.get(pair, ())), frozenset(possible.get(pair, ())))
        for pair in range(1, max(possible) + 1)
    ]


def _numbered(path: str | Path, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines from 1, with a progress bar."""
    return enumerate(Progress(lines, unit="lines", what=f"reading {path}"), 1)


def _link(source: str, target: str, one_based: bool, entry: str) -> Link | None:
    """Counted from 0; None with no word."""
    link = int(source) - one_based, int(target) - one_based
    if max(link) < 0:
        raise UserError(f"'{entry}' counts from 0, but the file should count from 1")
    return link if min(link) >= 0 else None


def _located(path: str | Path, parse: Callable) -> Callable:
    """`parse`, whose mistakes name the file and the line."""

    def at(number: int, line: str):
        try:
            return parse(line)
        except UserError as error:
            raise UserError(f"{path}:{number}: {error}") from None

    return at
