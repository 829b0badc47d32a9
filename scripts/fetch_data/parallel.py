"""Lays the pairs of one or several archives out as ``{train,valid}.<src>-<tgt>.<lang>``."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Iterator, Sequence, Tuple

from archives import check_room, unpack

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_writer

Sides = Tuple[Path, Path]


def lay_out_pairs(folder: Path, pair: str, valid: int, archives: Sequence[Path]) -> list[Path]:
    """Concatenates the text of all archives and holds out pairs to validate on.

    The held-out pairs are spread evenly: with n pairs, pair i is held out where floor(i v / n)
    grows, so that every corpus is represented by its share and the same files come out each time.
    XLM (get-data-para.sh) draws its 5,000 at random, and as many again for a test. Pairs that equal
    a held-out pair are left out of the training text, as are pairs with an empty side, a NUL or
    bytes that are not UTF-8.

    Args:
        folder: where the files go.
        pair: the pair, such as ``de-en``; OPUS's own order does not matter.
        valid: the number v of held-out pairs, at most a tenth of the text. Where that is none,
            there are no files of held-out text, and those of an earlier run are removed.
        archives: files with members ``<name>.<pair>.<language>``, as OPUS's and IIT Bombay's.

    Returns:
        The files.

    Raises:
        UserError: an archive cannot be unpacked, lacks a side, its sides differ in length, or no
            pair is left to train on.
    """
    languages = pair.split("-")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked.") as unpacked:
        texts = [
            _sides(archive, Path(unpacked) / str(number), languages)
            for number, archive in enumerate(archives)
        ]
        check_room(folder, sum(path.stat().st_size for sides in texts for path in sides))
        total, dropped = _count(texts)
        held_out = min(valid, total // 10)
        wanted = {p for i, p in enumerate(_pairs(texts)) if _is_held_out(i, held_out, total)}
        names = [f"{split}.{pair}.{side}" for split in ("train", "valid") for side in languages]
        paths = [folder / name for name in names]
        written = paths if held_out else paths[:2]
        again = 0
        with ExitStack() as stack:
            files = [stack.enter_context(atomic_writer(path, binary=True)) for path in written]
            for number, texts_of_pair in enumerate(_pairs(texts)):
                held = _is_held_out(number, held_out, total)
                if not held and texts_of_pair in wanted:
                    again += 1
                    continue
                for file, text in zip(files[2:] if held else files[:2], texts_of_pair):
                    file.write(text + b"\n")
            if total == held_out + again:
                raise UserError(
                    f"{pair}: every pair equals one that is held out, so that none is left to "
                    "train on: VALID=0 holds none out"
                )
        for path in paths[len(written) :]:
            path.unlink(missing_ok=True)
    print(
        f"{pair}: {total - held_out - again} pairs to train on, {held_out} held out; left out: "
        f"{dropped} empty or not UTF-8, {again} equal to a held-out pair"
    )
    return written


def _is_held_out(number: int, held_out: int, total: int) -> bool:
    return (number + 1) * held_out // total > number * held_out // total


def _sides(archive: Path, folder: Path, languages: Sequence[str]) -> Sides:
    """Unpacks the two sides of an archive's text and checks that they have as many lines."""
    source, target = (re.escape(language) for language in languages)
    name = re.compile(
        rf"(?:.*/)?[^/]+\.(?:{source}-{target}|{target}-{source})\.({source}|{target})"
    )
    folder.mkdir()
    paths = unpack(archive, folder, lambda member: name.fullmatch(member) is not None)
    found = {path.suffix[1:]: path for path in paths}
    if len(paths) != 2 or len(found) != 2:
        names = ", ".join(path.name for path in paths)
        raise UserError(f"{archive}: expected two files for {'-'.join(languages)}, found {names}")
    return found[languages[0]], found[languages[1]]


def _count(texts: Sequence[Sides]) -> tuple[int, int]:
    """Returns the number of usable pairs and of those that are dropped."""
    usable = lines = 0
    for sides in texts:
        counts = []
        for path in sides:
            with open(path, "rb") as file:
                counts.append(sum(1 for _ in file))
        if counts[0] != counts[1]:
            raise UserError(
                f"{sides[0].name} has {counts[0]} lines and {sides[1].name} {counts[1]}: "
                "line i of one must translate line i of the other"
            )
        lines += counts[0]
    usable = sum(1 for _ in _pairs(texts))
    if not usable:
        raise UserError(f"{texts[0][0].name} has no pair that can be used")
    return usable, lines - usable


def _pairs(texts: Sequence[Sides]) -> Iterator[tuple[bytes, bytes]]:
    """Yields the usable pairs of all texts, without white space around them."""
    for sides in texts:
        with open(sides[0], "rb") as source, open(sides[1], "rb") as target:
            for first, second in zip_longest(source, target, fillvalue=b""):
                first, second = first.strip(), second.strip()
                if first and second and _is_text(first) and _is_text(second):
                    yield first, second


def _is_text(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in line
