"""Binarised corpora in a data folder: what is there, and memory-mapped reading of it.

Layout (stock ``fairseq-preprocess`` files)::

    DATA/mono/<lang>/<split>.{bin,idx}
    DATA/parallel/<src>-<tgt>/<split>.<src>-<tgt>.<lang>.{bin,idx}
"""

from __future__ import annotations

from pathlib import Path
from typing import Sequence, Union

import numpy as np
from fairseq.data import data_utils

from fairseq_amber.errors import UserError

_CHECKED = 10_000  # sentences: enough to notice a dictionary that belongs to other data


class MonolingualCorpus:
    """Sentences of one language. ``lengths``: (N,) int32 tokens without special tokens."""

    parallel = False

    def __init__(self, name: str, sentences):
        self.name = name
        self.sentences = sentences
        self.lengths = sentences.sizes - 1  # the stored </s>

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.sentences[index].numpy()[:-1]


class ParallelCorpus:
    """Sentence pairs. ``lengths``: (N,) int32 tokens of both sides without special tokens."""

    parallel = True

    def __init__(self, name: str, sources, targets):
        self.name = name
        self.sources = sources
        self.targets = targets
        self.lengths = sources.sizes + targets.sizes - 2

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.sources[index].numpy()[:-1], self.targets[index].numpy()[:-1]


Corpus = Union[MonolingualCorpus, ParallelCorpus]


def available(data: Path, kind: str, wanted: str | None) -> list[str]:
    """Names of the corpora of a kind (``mono`` or ``parallel``), all or those wanted.

    Raises:
        UserError: a wanted name is not there; the message lists those that are.
    """
    folder = data / kind
    found = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if wanted is None:
        return found
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in found:
            what, flag = ("pair", "--pairs") if kind == "parallel" else ("language", "--languages")
            hint = ""
            if kind == "parallel" and "-".join(reversed(name.split("-"))) in found:
                hint = f" (the pair is stored as {'-'.join(reversed(name.split('-')))})"
            raise UserError(
                f"{flag}: unknown {what} {name!r}{hint}; {folder} has "
                f"{', '.join(found) if found else 'none'}"
            )
    return names


def load_corpora(
    data: Path, split: str, languages: Sequence[str], pairs: Sequence[str], dictionary
) -> list[Corpus]:
    """Opens a split of the named corpora; those without that split are left out.

    Raises:
        UserError: a side of a pair is missing, the sides differ in length, or a corpus holds
            tokens that the dictionary lacks.
    """
    corpora: list[Corpus] = []
    for language in languages:
        path = data / "mono" / language / split
        sentences = _open(path, dictionary)
        if sentences is not None:
            corpora.append(MonolingualCorpus(language, sentences))
    for pair in pairs:
        sides = [data / "parallel" / pair / f"{split}.{pair}.{lang}" for lang in pair.split("-")]
        source, target = (_open(side, dictionary) for side in sides)
        if source is None and target is None:
            continue
        for side, sentences in zip(sides, (source, target)):
            if sentences is None:
                raise UserError(f"{side}.idx is missing: prepare the pair {pair} again")
        if len(source) != len(target):
            raise UserError(
                f"{sides[0]} has {len(source)} sentences but {sides[1]} has {len(target)}: "
                f"prepare the pair {pair} again"
            )
        corpora.append(ParallelCorpus(pair, source, target))
    return corpora


def _open(path: Path, dictionary):
    if not Path(f"{path}.idx").exists():
        return None
    sentences = data_utils.load_indexed_dataset(str(path), dictionary)
    if sentences is None or len(sentences) == 0:
        return None
    largest = max(int(sentences[i].max()) for i in range(min(len(sentences), _CHECKED)))
    if largest >= len(dictionary):
        raise UserError(
            f"{path}.bin holds token {largest} but the dictionary has {len(dictionary)} symbols: "
            "it was binarised with another dictionary; prepare the folder again"
        )
    return sentences
