"""Draws the splits: no sentence occurs twice, and some word combinations occur only in test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, Sequence

from fairseq_amber.demo_corpus.concepts import HELD_OUT
from fairseq_amber.demo_corpus.languages import LANGUAGES, realisers
from fairseq_amber.demo_corpus.meaning import Sentence, combinations
from fairseq_amber.demo_corpus.sampler import Sampler
from fairseq_amber.demo_corpus.tokens import Tokens, text
from fairseq_amber.errors import UserError
from fairseq_amber.progress import Progress

GRAMMAR = 1  # increase it with every change that changes a written sentence
SHORTEST, LONGEST = 3, 20  # tokens, in every language
_PATIENCE = 200_000  # largest number of meanings that are rejected one after the other

Realisation = Dict[str, Tokens]  # language -> the tokens of one meaning


@dataclass(frozen=True)
class Settings:
    """The settings that, together with ``GRAMMAR``, decide every byte of a demo corpus.

    Attributes:
        pairs: the language pairs, such as "de-en".
        train_sentences: the number of training pairs for each language pair.
        valid_sentences: the number of validation pairs for each language pair, and of monolingual
            validation sentences for each language.
        test_sentences: the number of test pairs for each language pair.
        mono_sentences: the number of monolingual training sentences for each language.
        seed: the seed of the random choices.
        train_gold: whether the training pairs get gold alignments too.
    """

    pairs: tuple[str, ...] = ("de-en", "ru-en", "tr-en")
    train_sentences: int = 24000
    valid_sentences: int = 500
    test_sentences: int = 1000
    mono_sentences: int = 10000
    seed: int = 1
    train_gold: bool = False

    def check(self) -> None:
        """Checks the settings.

        Raises:
            UserError: no corpus can have these settings.
        """
        known = ", ".join(LANGUAGES)
        for pair in self.pairs:
            sides = pair.split("-")
            if len(sides) != 2 or sides[0] == sides[1] or not set(sides) <= set(LANGUAGES):
                raise UserError(f"--pairs: {pair} is not a pair of two of {known}, such as de-en")
        if len(set(self.pairs)) < len(self.pairs):
            raise UserError(f"--pairs: {' '.join(self.pairs)} names a pair twice")
        for flag in ("train", "valid", "test", "mono"):
            count = getattr(self, f"{flag}_sentences")
            least = 0 if flag == "mono" else 1
            if count < least:
                raise UserError(f"--{flag}-sentences must be at least {least}, not {count}")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the pairs, in alphabetical order."""
        return tuple(sorted({language for pair in self.pairs for language in pair.split("-")}))


@dataclass(frozen=True)
class DemoCorpus:
    """The sentences of all splits.

    Attributes:
        parallel: split -> for each meaning, its tokens in every language.
        mono: (language, split) -> monolingual sentences.
    """

    parallel: dict[str, list[Realisation]]
    mono: dict[tuple[str, str], list[str]]


def draw(settings: Settings) -> DemoCorpus:
    """Draws all splits.

    In no language does a sentence occur twice, neither in one split nor in two, monolingual text
    included. The language pairs do not change which meanings are drawn.

    Raises:
        UserError: the grammar has too few sentences, or the training text has too few words.
    """
    return _Drawing(settings).corpus()


def has_held_out(sentence: Sentence) -> bool:
    """Tells whether a sentence has a combination of concepts that is held out for the test."""
    return not _HELD_OUT.isdisjoint(combinations(sentence))


_HELD_OUT = frozenset(HELD_OUT)


class _Drawing:
    """The draw of one corpus; it knows which meanings and sentences are taken."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._realisers = realisers()
        self._meanings: set[Sentence] = set()
        self._seen: dict[str, set[str]] = {language: set() for language in LANGUAGES}

    def corpus(self) -> DemoCorpus:
        settings = self._settings
        train = self._parallel("train", settings.train_sentences)
        parallel = {"train": train, "valid": self._parallel("valid", settings.valid_sentences)}
        mono = {}
        if settings.mono_sentences:
            for language in LANGUAGES:
                for split, count in (
                    ("train", settings.mono_sentences),
                    ("valid", settings.valid_sentences),
                ):
                    mono[language, split] = self._mono(language, split, count)
        words = {
            language: {token.text for line in train for token in line[language]}
            for language in LANGUAGES
        }
        parallel["test"] = self._parallel("test", settings.test_sentences, words)
        return DemoCorpus(parallel, mono)

    def _candidates(self, name: str, is_test: bool) -> Iterator[Sentence]:
        """Yields new meanings: those for test have a held-out combination, the others have none."""
        sampler = Sampler(f"{GRAMMAR}/{self._settings.seed}/{name}")
        for sentence in sampler.sentences():
            if has_held_out(sentence) == is_test and sentence not in self._meanings:
                yield sentence

    def _parallel(
        self, split: str, count: int, words: dict[str, set[str]] | None = None
    ) -> list[Realisation]:
        """Draws a split of meanings; with ``words``, the test split, which has no other words."""
        lines: list[Realisation] = []
        rejected = 0
        with _drawing(split, count) as progress:
            for sentence in self._candidates(split, is_test=words is not None):
                if len(lines) == count:
                    break
                line: Realisation = {}
                for language, realise in self._realisers.items():
                    tokens = realise(sentence)
                    if not self._is_new(language, tokens):
                        break
                    if words and not words[language].issuperset(token.text for token in tokens):
                        break
                    line[language] = tokens
                else:
                    rejected = 0
                    lines.append(line)
                    progress.update()
                    self._meanings.add(sentence)
                    for language, tokens in line.items():
                        self._seen[language].add(text(tokens))
                    continue
                rejected = self._count_rejected(rejected, split, len(lines))
                progress.tick()
        return lines

    def _mono(self, language: str, split: str, count: int) -> list[str]:
        realise = self._realisers[language]
        lines: list[str] = []
        rejected = 0
        with _drawing(f"{split}.{language}", count) as progress:
            for sentence in self._candidates(f"{split}.{language}", is_test=False):
                if len(lines) == count:
                    break
                tokens = realise(sentence)
                if not self._is_new(language, tokens):
                    rejected = self._count_rejected(rejected, f"{split}.{language}", len(lines))
                    progress.tick()
                    continue
                rejected = 0
                lines.append(text(tokens))
                self._meanings.add(sentence)
                self._seen[language].add(lines[-1])
                progress.update()
        return lines

    def _is_new(self, language: str, tokens: Sequence) -> bool:
        return SHORTEST <= len(tokens) <= LONGEST and text(tokens) not in self._seen[language]

    def _count_rejected(self, rejected: int, name: str, found: int) -> int:
        if rejected == _PATIENCE:
            raise UserError(
                f"found only {found} sentences for {name} that are new and, for test, made of "
                "training words; ask for fewer, or for more --train-sentences"
            )
        return rejected + 1


def _drawing(name: str, count: int) -> Progress:
    return Progress(total=count, unit="sentences", what=f"drawing {name}")
