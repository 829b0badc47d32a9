"""Finds the binarised corpora of a data folder, and reads them through memory maps.

Layout (stock ``fairseq-preprocess`` files)::

    DATA/dict.txt
    DATA/mono/<lang>/<split>.{bin,idx}
    DATA/parallel/<src>-<tgt>/<split>.<src>-<tgt>.<lang>.{bin,idx}

A training split goes on in ``<split>1``, ``<split>2`` and so on, as in stock fairseq.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Sequence, Union

import numpy as np
from fairseq.data import Dictionary

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.linked_words import CorpusLinks
from fairseq_amber.data.joined_token_file import JoinedTokenFile
from fairseq_amber.data.token_check import AT_OPENING, check_tokens
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import Words
from fairseq_amber.errors import UserError
from fairseq_amber.files.pair_names import PairName, find_languages
from fairseq_amber.tokenizers.dictionary import check_same_dictionary


class MonolingualCorpus:
    """Sentences of one language, without the ``</s>`` that each is stored with.

    Args:
        name: the language.
        sentences: the N stored sentences.
        words: the words of the sentences; None if no term needs them.
    """

    parallel = False

    def __init__(self, name: str, sentences: TokenFile, words: Words | None = None):
        self.name = name
        self.sentences = sentences
        self.words = words

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int32 tokens of each sentence; a new array at each call."""
        return self.sentences.sizes - 1

    @property
    def empty(self) -> np.ndarray:
        """(N,) bool, True for a sentence without tokens; a new array at each call."""
        return self.sentences.sizes == 1

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.sentences[index][:-1]

    def word_starts(self, index: int, tokens: np.ndarray) -> np.ndarray | None:
        """Returns where the words of a sentence begin among its ``tokens``; None if no term needs
        them."""
        return None if self.words is None else self.words.starts(index, tokens)


class ParallelCorpus:
    """Sentence pairs, without the ``</s>`` that each sentence is stored with.

    Args:
        name: the name of the pair, ``<src>-<tgt>``; a ``PairName`` where a language has a hyphen.
        sources: the N stored source sentences.
        targets: the N stored target sentences.
        links: the word links of the pairs; None if no term needs them.
        words: the words of both sides; None if no term needs them.
    """

    parallel = True

    def __init__(
        self,
        name: str,
        sources: TokenFile,
        targets: TokenFile,
        links: CorpusLinks | None = None,
        words: tuple[Words, Words] | None = None,
    ):
        self.name = name
        self.sources = sources
        self.targets = targets
        self.links = links
        self.words = words

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int32 tokens of both sides together; a new array at each call."""
        lengths = self.sources.sizes + self.targets.sizes
        lengths -= 2
        return lengths

    @property
    def longer_sides(self) -> np.ndarray:
        """(N,) int32 tokens of the longer side; a new array at each call."""
        lengths = np.maximum(self.sources.sizes, self.targets.sizes)
        lengths -= 1
        return lengths

    @property
    def empty(self) -> np.ndarray:
        """(N,) bool, True for a pair without a source or a target; a new array at each call."""
        return (self.sources.sizes == 1) | (self.targets.sizes == 1)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.sources[index][:-1], self.targets[index][:-1]

    def word_starts(
        self, index: int, sentences: tuple[np.ndarray, ...]
    ) -> tuple[np.ndarray, ...] | None:
        """Returns where the words of a pair begin in its two ``sentences``; None if no term needs
        them."""
        if self.words is None:
            return None
        return tuple(words.starts(index, ids) for words, ids in zip(self.words, sentences))


Corpus = Union[MonolingualCorpus, BlockCorpus, ParallelCorpus]


def available(folders: Sequence[Path], kind: str, wanted: str | None) -> list[str]:
    """Returns the names of the corpora of a kind that at least one data folder has.

    Args:
        folders: the data folders.
        kind: ``mono`` or ``parallel``.
        wanted: comma-separated names; None for all.

    Raises:
        UserError: a wanted corpus does not exist; the message lists those that do.
    """
    places = [data / kind for data in folders]
    inside = [path for place in places if place.is_dir() for path in place.iterdir()]
    found = sorted({path.name for path in inside if path.is_dir() and path.name[0] != "."})
    if wanted is None:
        return found
    names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    for name in names:
        if name not in found:
            what, flag = ("pair", "--pairs") if kind == "parallel" else ("language", "--languages")
            hint = ""
            if kind == "parallel" and "-".join(reversed(name.split("-"))) in found:
                hint = f" (the pair is stored as {'-'.join(reversed(name.split('-')))})"
            raise UserError(
                f"{flag}: unknown {what} {name!r}{hint}; {' and '.join(map(str, places))} has "
                f"{', '.join(found) if found else 'none'}"
            )
    return names


def load_corpora(
    data: Path,
    split: str,
    languages: Sequence[str],
    pairs: Sequence[str],
    dictionary: Dictionary,
    *,
    combine: bool = False,
) -> list[Corpus]:
    """Opens a split of the named corpora; a corpus that lacks the split is left out.

    Args:
        data: the data folder.
        split: the name of the split.
        languages: the monolingual corpora.
        pairs: the parallel corpora.
        dictionary: the dictionary of the folder.
        combine: whether ``<split>1``, ``<split>2`` and so on, which lie beside the split, go on
            with it.

    Raises:
        UserError: two corpora have the same name, the name of a pair is not ``<src>-<tgt>``, a side
            of a pair is missing, the sides differ in length, a file is damaged, or a corpus was
            binarised with another dictionary.
    """
    for name in set(languages) & set(pairs):
        raise UserError(f"{data} has both mono/{name} and parallel/{name}: rename one of them")
    corpora: list[Corpus] = []
    for language in languages:
        folder = data / "mono" / language
        parts = []
        for part in _parts(folder, split, "", combine):
            sentences = _open(folder / part, dictionary)
            if sentences is not None:
                parts.append(sentences)
        if parts:
            _check_own_dictionaries(data, folder)
            corpora.append(MonolingualCorpus(language, _joined(parts)))
    for pair in pairs:
        folder = data / "parallel" / pair
        name = _pair_name(folder)
        both = []
        for part in _parts(folder, split, f".{pair}.*", combine):
            sides = _open_pair(folder, part, name, dictionary)
            if sides is not None:
                both.append(sides)
        if both:
            _check_own_dictionaries(data, folder)
            sources, targets = zip(*both)
            corpora.append(ParallelCorpus(name, _joined(sources), _joined(targets)))
    return corpora


def _parts(folder: Path, split: str, rest: str, combine: bool) -> list[str]:
    """Returns the names of a split and of those that go on with it, up to the first that no file
    has; ``rest`` is the pattern of a file's name behind that of the split."""
    names = [split]
    while combine and any(folder.glob(f"{glob.escape(split)}{len(names)}{rest}.idx")):
        names.append(f"{split}{len(names)}")
    return names


def _joined(parts: Sequence[TokenFile]) -> TokenFile:
    return parts[0] if len(parts) == 1 else JoinedTokenFile(parts)


def _open_pair(
    folder: Path, split: str, pair: PairName, dictionary: Dictionary
) -> tuple[TokenFile, TokenFile] | None:
    """Opens both sides of a pair; None if neither has a sentence.

    Raises:
        UserError: one side is missing, or the sides differ in length.
    """
    sides = [folder / f"{split}.{pair}.{lang}" for lang in pair.languages]
    source, target = (_open(side, dictionary) for side in sides)
    if source is None and target is None:
        return None
    if source is None or target is None:
        raise UserError(
            f"{sides[source is not None]}.idx is missing or has no sentence: prepare the pair "
            f"{pair} again"
        )
    if len(source) != len(target):
        raise UserError(
            f"{sides[0]} has {len(source)} sentences but {sides[1]} has {len(target)}: "
            f"prepare the pair {pair} again"
        )
    return source, target


def _pair_name(folder: Path) -> PairName:
    """Returns the name of a pair's folder, with the two languages that the files in it end in."""
    pair = folder.name
    files = [path.stem.split(".") for path in folder.iterdir() if path.suffix == ".idx"]
    endings = {parts[2] for parts in files if len(parts) == 3 and parts[1] == pair}
    name = find_languages(pair, endings)
    if name is None and len(pair.split("-")) == 2:
        return PairName(*pair.split("-"))
    if name is None:
        raise UserError(
            f"{folder} is not named <src>-<tgt> after the languages in which its files end, as "
            "de-en with train.de-en.de and train.de-en.en: rename or remove it"
        )
    return name


def _open(path: Path, dictionary: Dictionary) -> TokenFile | None:
    if not Path(f"{path}.idx").exists():
        return None
    sentences = TokenFile(path)
    if len(sentences) == 0:
        return None
    check_tokens(sentences, len(dictionary), dictionary.eos(), AT_OPENING)
    return sentences


def _check_own_dictionaries(data: Path, folder: Path) -> None:
    """Checks the copies of the dictionary that ``fairseq-preprocess`` leaves beside a corpus."""
    for path in sorted(folder.glob("dict*.txt")):
        check_same_dictionary(data / "dict.txt", path)
