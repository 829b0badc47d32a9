"""Finds text of a split that lies in a data folder as other programs leave it, where no corpus is
looked for, and says what to do with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

from fairseq_amber.files.pair_names import languages_of

_SUFFIX = ".idx"


def misplaced(data: Path, split: str) -> list[str]:
    """Returns a sentence for each text that is not read, with its remedy.

    Args:
        data: the data folder.
        split: the name of the split.
    """
    return [*_outside(data, split), *_inside(data, split)]


def _outside(data: Path, split: str) -> Iterator[str]:
    """Yields what lies in the folder itself, or in folders of languages outside ``mono``."""
    for name in _names(data, split):
        if name == split:
            remedy = f"move {name}.bin and {name}.idx to {data}/mono/<language>/"
        else:
            pair, language = name[len(split) + 1 :].rsplit(".", 1)
            remedy = f"move {name}.bin and {name}.idx to {data}/parallel/{pair}/"
            if pair == f"{language}-None":
                remedy = f"move its two files to {data}/mono/{language}/{split}.bin and .idx"
        yield f"{data / name}{_SUFFIX} is binarised text outside mono/ and parallel/: {remedy}"
    for path in sorted(data.glob(f"*/{split}{_SUFFIX}")):
        if path.parent.name not in ("mono", "parallel"):
            yield f"{path} is binarised text of one language: move its folder into {data}/mono/"


def _inside(data: Path, split: str) -> Iterator[str]:
    """Yields what lies in the folder of a corpus under another name, or is not binarised."""
    for folder in sorted([*data.glob("mono/*"), *data.glob("parallel/*")]):
        name, mono = folder.name, folder.parent.name == "mono"
        if not folder.is_dir() or name.startswith("."):
            continue
        wanted = [split] if mono else [f"{split}.{name}.{side}" for side in languages_of(name)]
        found = _names(folder, split)
        if not any(one in found for one in wanted):
            for one in sorted(set(found)):
                parts = one[len(split) + 1 :].rsplit(".", 1)
                if mono:
                    remedy = f"rename its two files to {split}.bin and {split}.idx"
                elif one == split or parts[0].endswith("-None"):
                    remedy = f"move its two files to {data}/mono/<language>/{split}.bin and .idx"
                else:
                    remedy = f"name the folder {parts[0]}"
                yield f"{folder / one}{_SUFFIX} is not {' or '.join(wanted)}{_SUFFIX}: {remedy}"
        for one in (split, f"{split}.{name}", *wanted):
            if one not in found and (folder / one).is_file():
                yield (
                    f"{folder / one} is text that is not binarised to .bin and .idx: binarise with "
                    "fairseq-amber prepare, or with fairseq-preprocess --dataset-impl mmap"
                )
                break
        numbers = _numbers(folder, split, "" if mono else f".{name}.")
        first = next(n for n in range(len(numbers) + 1) if n not in numbers)
        if numbers and first < max(numbers):
            lacking, beyond = (f"{split}{n or ''}" for n in (first, max(numbers)))
            yield (
                f"{folder} has {beyond} but no {lacking}: the files of a split are {split}, "
                f"{split}1, {split}2, ... without a gap; rename them"
            )


def _names(folder: Path, split: str) -> list[str]:
    """Returns the names of the binarised texts of a split in a folder, without their suffix: the
    split alone, or with a pair and a language, as ``fairseq-preprocess`` names them."""
    known = re.compile(re.escape(split) + r"(\.[^.]+-[^.]+\.[^.]+)?")
    names = (path.name[: -len(_SUFFIX)] for path in folder.glob(f"*{_SUFFIX}"))
    return sorted(name for name in names if known.fullmatch(name))


def _numbers(folder: Path, split: str, rest: str) -> set[int]:
    """Returns the numbers behind a split's name in the files of a corpus, 0 for none."""
    end = re.escape(rest) + "[^.]+" if rest else ""
    known = re.compile(rf"{re.escape(split)}(\d*){end}{re.escape(_SUFFIX)}")
    found = (known.fullmatch(path.name) for path in folder.glob(f"*{_SUFFIX}"))
    return {int(match[1] or 0) for match in found if match}
