"""Word alignments as sets of links, their files, and the alignment error rate.

A link (i, j) says that source word i and target word j translate each other. The Pharaoh format
holds one sentence pair a line: `0-0 1-2 2p1`, where `-` marks a sure link and `p` a possible one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence, Tuple

from fairseq_amber.errors import UserError

Link = Tuple[int, int]

_LINK = re.compile(r"([0-9]+)([-p])([0-9]+)", flags=re.ASCII)


@dataclass(frozen=True)
class Links:
    """The links of one sentence pair; every sure link is a possible one too."""

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class AlignmentScore:
    """Corpus-level precision, recall and AER in percent, over n sentence pairs."""

    precision: float
    recall: float
    aer: float
    n: int


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
        link = (int(match[1]) - one_based, int(match[3]) - one_based)
        if min(link) < 0:
            raise UserError(f"'{entry}' counts from 0, but the file was said to count from 1")
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return Links(frozenset(sure), frozenset(possible))


def format_pharaoh(links: Iterable[Link]) -> str:
    """`0-0 1-2`, sorted: one line of a Pharaoh file, without its newline."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


def read_pharaoh(path: str | Path, *, one_based: bool = False) -> list[Links]:
    """Reads a Pharaoh file, one sentence pair a line; an empty line is a pair without links.

    Raises:
        UserError: the file cannot be read, or names the file and line that is not in the format.
    """
    links = []
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    links.append(parse_pharaoh(line, one_based=one_based))
                except UserError as error:
                    raise UserError(f"{path}:{number}: {error}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text; expected lines such as 0-0 1-2 2p1") from None
    return links


def alignment_score(predicted: Sequence[Iterable[Link]], gold: Sequence[Links]) -> AlignmentScore:
    """Precision, recall and alignment error rate of the links A against sure S and possible P.

        precision = |A & P| / |A|        recall = |A & S| / |S|
        AER       = 1 - (|A & S| + |A & P|) / (|A| + |S|)

    with S a part of P, and all counts summed over the corpus before dividing (Och and Ney, 2003,
    equations 36 to 38). Without a single predicted link, precision is 0 and AER 100.

    Raises:
        ValueError: the two sequences differ in length, or no sure link is in the gold.
    """
    if len(predicted) != len(gold):
        raise ValueError(f"{len(predicted)} predicted pairs, but {len(gold)} gold pairs")
    n_links = n_sure = in_sure = in_possible = 0
    for links, reference in zip(predicted, gold):
        links = set(links)
        n_links += len(links)
        n_sure += len(reference.sure)
        in_sure += len(links & reference.sure)
        in_possible += len(links & reference.possible)
    if n_sure == 0:
        raise ValueError("the gold has no sure link (i-j): recall and AER are not defined")
    return AlignmentScore(
        precision=100.0 * in_possible / n_links if n_links else 0.0,
        recall=100.0 * in_sure / n_sure,
        aer=100.0 * (1 - (in_sure + in_possible) / (n_links + n_sure)),
        n=len(gold),
    )
