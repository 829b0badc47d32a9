"""Finds the files of a folder in BUCC's layout: ``<src>-<tgt>.<split>.{<src>,<tgt>,gold}``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.parallel_text import choose_pairs
from fairseq_amber.inference.mining.texts import MiningSet, read_bucc, read_gold

_NAME = re.compile(r"(?P<source>[^.-]+)-(?P<target>[^.-]+)\.(?P<split>[^.]+)\.(?P<end>[^.]+)")


class MiningFiles(NamedTuple):
    """The files of one language pair and split.

    Attributes:
        source: the source text.
        target: the target text.
        gold: the gold pairs; None if there is no such file, so that pairs cannot be scored.
    """

    source: Path
    target: Path
    gold: Path | None

    def read(self) -> MiningSet:
        """Reads both texts, and the gold if there is one; see ``read_bucc`` and ``read_gold``."""
        source, target = read_bucc(self.source), read_bucc(self.target)
        gold = None if self.gold is None else read_gold(self.gold, source, target)
        return MiningSet(source, target, gold)


class Splits(NamedTuple):
    """The files of two splits by language pair.

    One of the two may be empty; otherwise both have the same pairs. Either all pairs of ``test``
    have gold or none has.

    Attributes:
        dev: files to tune the threshold on.
        test: files to mine.
    """

    dev: dict[str, MiningFiles]
    test: dict[str, MiningFiles]


def find_mining_files(folder: Path, split: str) -> dict[str, MiningFiles]:
    """Returns the files of all language pairs in a folder that have texts of a split, by pair.

    Raises:
        UserError: ``folder`` is not a folder, or one text of a pair is missing.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    found: dict[str, MiningFiles] = {}
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if not match or match["split"] != split:
            continue
        languages = match["source"], match["target"]
        if match["end"] not in languages:
            continue
        source, target, gold = (folder / f"{path.stem}.{end}" for end in (*languages, "gold"))
        for side in (source, target):
            if not side.exists():
                raise UserError(f"{folder} has {path.name} but lacks {side.name}")
        found["-".join(languages)] = MiningFiles(source, target, gold if gold.exists() else None)
    return found


def choose_files(
    folder: Path, pairs: str | None, *, dev_split: str, split: str, tune: bool
) -> Splits:
    """Returns the files to mine, and the files to tune the threshold on.

    Args:
        folder: a folder in BUCC's layout.
        pairs: the language pairs to take, such as "de-en,fr-en"; None takes all.
        dev_split: the split to tune on.
        split: the split to mine.
        tune: whether a threshold is tuned on ``dev_split``. If not, ``dev`` of the result is empty.

    Raises:
        UserError: a file is missing, or only some of the pairs have texts or gold of ``split``.
    """
    if tune and split == dev_split:
        raise UserError(
            f"--split {split} is also --dev-split, which tunes the threshold; name another split"
        )
    dev, test = (find_mining_files(folder, name) for name in (dev_split, split))
    available_pairs = sorted({**dev, **test})
    if not available_pairs:
        raise UserError(
            f"{folder} has no files <src>-<tgt>.{dev_split}.<lang> or <src>-<tgt>.{split}.<lang>; "
            "--dev-split and --split may name others"
        )
    names = choose_pairs(pairs, available_pairs, folder)
    for name in names:
        if tune and (name not in dev or dev[name].gold is None):
            missing = "gold" if name in dev else name.partition("-")[0]
            raise UserError(
                f"{folder} lacks {name}.{dev_split}.{missing}, and the threshold is tuned there; "
                "add it, or give --threshold"
            )
        if not tune and name not in test:
            raise UserError(
                f"{folder} lacks {name}.{split}.{name.partition('-')[0]}, which --threshold is for"
            )
    mined = [name for name in names if name in test]
    scored = [name for name in mined if test[name].gold is not None]
    for kind, pairs_with_files in (("texts", mined), ("gold", scored)):
        if len(pairs_with_files) not in (0, len(names)):
            raise UserError(
                f"{folder} has {split} {kind} for {', '.join(pairs_with_files)} but not for all of "
                f"{', '.join(names)}; choose with --pairs"
            )
    return Splits(
        {name: dev[name] for name in names} if tune else {}, {name: test[name] for name in mined}
    )
