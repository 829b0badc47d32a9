"""Lays gold word alignments out as ``test.<src>-<tgt>.{<src>,<tgt>,gold}``.

The links are in Pharaoh's format: ``i-j`` sure, ``ipj`` possible, words counted from 0, the source
word first.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Dict, Sequence

from archives import unpack

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_writer

Sentences = Sequence[str]
Gold = Dict[int, Dict[tuple, bool]]  # by sentence, the links and whether each is sure


def lay_out_gold(folder: Path, set_name: str, pair: str, files: Sequence[Path]) -> list[Path]:
    """Writes the two sides of a gold set and its links.

    Args:
        folder: where the files go.
        set_name: ``awesome-align`` (the examples of Dou and Neubig 2021, words counted from 1),
            ``simalign`` (the sets of Jalili Sabet et al. 2020 as XLM-Align has packed them),
            ``xl-wa`` (Martelli et al. 2023) or ``wpt`` (Mihalcea and Pedersen 2003).
        pair: the pair, such as ``en-fr``.
        files: the files of the set.

    Returns:
        The files that were written.

    Raises:
        UserError: a file does not have its set's form, or the text and its links do not fit.
    """
    languages = pair.split("-")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked.") as unpacked:
        source, target, gold = READERS[set_name](Path(unpacked), languages, files)
    if len(source) != len(target):
        raise UserError(f"{pair}: {len(source)} source lines and {len(target)} target lines")
    if gold and not 0 <= min(gold) <= max(gold) < len(source):
        raise UserError(f"{pair}: links of a sentence that the text lacks, {max(gold)}")
    lines, outside = [], 0
    for number, (first, second) in enumerate(zip(source, target)):
        sizes = len(first.split()), len(second.split())
        entries = []
        for (i, j), sure in sorted(gold.get(number, {}).items()):
            if 0 <= i < sizes[0] and 0 <= j < sizes[1]:
                entries.append(f"{i}{'-' if sure else 'p'}{j}")
            else:
                outside += 1
        lines.append(" ".join(entries))
    written = []
    for name, text in ((languages[0], source), (languages[1], target), ("gold", lines)):
        written.append(folder / f"test.{pair}.{name}")
        with atomic_writer(written[-1]) as file:
            file.writelines(f"{' '.join(line.split())}\n" for line in text)
    left_out = f"; {outside} links to no word left out" if outside else ""
    print(f"{pair}: {len(source)} sentence pairs of {set_name}{left_out}")
    return written


def _awesome_align(unpacked: Path, languages: Sequence[str], files: Sequence[Path]):
    text, links = files
    sides = [line.split(" ||| ") for line in _lines(text)]
    if any(len(side) != 2 for side in sides):
        raise UserError(f"{text}: expected two sentences with ' ||| ' between them in every line")
    gold = {number: _pharaoh(line, 1, links) for number, line in enumerate(_lines(links))}
    return [s.strip() for s, _ in sides], [t.strip() for _, t in sides], gold


def _xl_wa(unpacked: Path, languages: Sequence[str], files: Sequence[Path]):
    rows = [line.split("\t") for line in _lines(files[0])]
    if any(len(row) != 3 for row in rows):
        raise UserError(f"{files[0]}: expected source, target and links, with tabs between them")
    gold = {number: _pharaoh(row[2], 0, files[0]) for number, row in enumerate(rows)}
    return [row[0] for row in rows], [row[1] for row in rows], gold


def _simalign(unpacked: Path, languages: Sequence[str], files: Sequence[Path]):
    """The ids in alignv2.txt have gaps: the k-th id that appears is the k-th line's."""
    pair = "-".join(languages)
    names = [f"{pair}/test.{languages[0]}", f"{pair}/test.{languages[1]}", f"{pair}/alignv2.txt"]
    paths = _unpacked(files[0], unpacked, names)
    gold: Gold = {}
    numbers: dict[str, int] = {}
    for line in _lines(paths[2]):
        number = numbers.setdefault(line.split()[0], len(numbers))
        _add(gold, number, line, paths[2])
    source, target = _lines(paths[0]), _lines(paths[1])
    if len(numbers) != len(source):
        raise UserError(f"{paths[2].name}: links of {len(numbers)} pairs, {len(source)} lines")
    return source, target, gold


def _wpt(unpacked: Path, languages: Sequence[str], files: Sequence[Path]):
    """Sentences are ``<s snum=12> ... </s>``, in one file a side or in test.1.r, test.2.r, ..."""
    sides = []
    for language in languages:
        letter = {"en": "e", "fr": "f", "ro": "r"}[language]
        name = re.compile(rf"(?:.*/)?test/test(?:\.(\d+))?\.{letter}")
        folder = unpacked / language
        folder.mkdir()
        paths = unpack(files[0], folder, lambda member, name=name: bool(name.fullmatch(member)))
        sentences: dict[int, str] = {}
        for path in paths:
            for line in _lines(path):
                match = re.fullmatch(r"\s*<s\s+snum=\"?(\d+)\"?\s*>(.*?)(?:</s>)?\s*", line)
                if match is None or int(match[1]) in sentences:
                    raise UserError(f"{path.name}: expected each <s snum=N> once: {line[:60]!r}")
                sentences[int(match[1])] = match[2].strip()
        sides.append(sentences)
    if sides[0].keys() != sides[1].keys():
        raise UserError(f"{files[0]}: the two sides have different sentences")
    order = {number: place for place, number in enumerate(sorted(sides[0]))}
    answers = _unpacked(files[0], unpacked, ["answers/test.wa.nonullalign"])[0]
    gold: Gold = {}
    for line in _lines(answers):
        number = order.get(int(line.split()[0]), -1)
        _add(gold, number, line, answers)
    return [sides[0][n] for n in order], [sides[1][n] for n in order], gold


READERS = {"awesome-align": _awesome_align, "simalign": _simalign, "xl-wa": _xl_wa, "wpt": _wpt}


def _unpacked(archive: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Unpacks the files whose paths end in these names, and returns them in this order."""
    ends = tuple("/" + name for name in names)
    paths = unpack(archive, folder, lambda member: ("/" + member).endswith(ends))
    found = {end: path for end in ends for path in paths if path.as_posix().endswith(end)}
    for end in ends:
        if end not in found:
            raise UserError(f"{archive} lacks {end[1:]}")
    return [found[end] for end in ends]


def _lines(path: Path) -> list[str]:
    """Returns the lines of a file in UTF-8, or in Latin-1 as the older sets are."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _pharaoh(line: str, base: int, path: Path) -> dict[tuple, bool]:
    links: dict[tuple, bool] = {}
    for entry in line.split():
        match = re.fullmatch(r"(\d+)([-p])(\d+)", entry)
        if match is None:
            raise UserError(f"{path}: {entry!r} is not a link")
        link = int(match[1]) - base, int(match[3]) - base
        links[link] = links.get(link, False) or match[2] == "-"
    return links


def _add(gold: Gold, number: int, line: str, path: Path) -> None:
    """Adds a link of NAACL's format; words count from 1, and 0 or -99 is no word."""
    match = re.fullmatch(r"\d+ (-?\d+) (-?\d+)(?: ([SP]))?", " ".join(line.split()))
    if match is None:
        raise UserError(f"{path.name}: {line!r} is not SENTENCE SOURCE TARGET [S|P]")
    link = int(match[1]) - 1, int(match[2]) - 1
    links = gold.setdefault(number, {})
    links[link] = links.get(link, False) or match[3] != "P"
