"""Splits of distinct sentences, with lexical combinations that only the test split holds."""

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

GRAMMAR = 1  # raised by every change that changes a written sentence
SHORTEST, LONGEST = 3, 20  # tokens, in every language
_PATIENCE = 200_000  # meanings in a row that may be turned down

Realisation = Dict[str, Tokens]  # language -> tokens


@dataclass(frozen=True)
class Settings:
    """What decides every byte of a demo corpus, together with GRAMMAR."""

    pairs: tuple[str, ...] = ("de-en", "ru-en", "tr-en")
    train_sentences: int = 24000
    valid_sentences: int = 500
    test_sentences: int = 1000
    mono_sentences: int = 10000
    seed: int = 1
    train_gold: bool = False

    def check(self) -> None:
        """Raises UserError if there is no such corpus."""
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
        """The languages of the pairs, sorted."""
        return tuple(sorted({language for pair in self.pairs for language in pair.split("-")}))


@dataclass(frozen=True)
class DemoCorpus:
    """parallel: split -> realisations in all languages; mono: (language, split) -> sentences."""

    parallel: dict[str, list[Realisation]]
    mono: dict[tuple[str, str], list[str]]


def draw(settings: Settings) -> DemoCorpus:
    """Draws all splits.

    No sentence occurs twice, in any language: neither within a split nor in two splits or in the
    monolingual text. The same meanings come whatever the pairs.

    Raises:
        UserError: more sentences are asked for than the grammar, or the training vocabulary, has.
    """
    return _Drawing(settings).corpus()


def has_held_out(sentence: Sentence) -> bool:
    """Whether a held-out combination of concepts is in it."""
    return not _HELD_OUT.isdisjoint(combinations(sentence))


_HELD_OUT = frozenset(HELD_OUT)


class _Drawing:
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
        """New meanings, with a held-out combination if and only if it is for the test split."""
        sampler = Sampler(f"{GRAMMAR}/{self._settings.seed}/{name}")
        for sentence in sampler.sentences():
            if has_held_out(sentence) == is_test and sentence not in self._meanings:
                yield sentence

    def _parallel(
        self, split: str, count: int, words: dict[str, set[str]] | None = None
    ) -> list[Realisation]:
        """A split; given the words of the training split, one of which all words are known."""
        lines: list[Realisation] = []
        turned_down = 0
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
                    turned_down = 0
                    lines.append(line)
                    progress.update()
                    self._meanings.add(sentence)
                    for language, tokens in line.items():
                        self._seen[language].add(text(tokens))
                    continue
                turned_down = self._count(turned_down, split, len(lines))
                progress.tick()
        return lines

    def _mono(self, language: str, split: str, count: int) -> list[str]:
        realise = self._realisers[language]
        lines: list[str] = []
        turned_down = 0
        with _drawing(f"{split}.{language}", count) as progress:
            for sentence in self._candidates(f"{split}.{language}", is_test=False):
                if len(lines) == count:
                    break
                tokens = realise(sentence)
                if not self._is_new(language, tokens):
                    turned_down = self._count(turned_down, f"{split}.{language}", len(lines))
                    progress.tick()
                    continue
                turned_down = 0
                lines.append(text(tokens))
                self._meanings.add(sentence)
                self._seen[language].add(lines[-1])
                progress.update()
        return lines

    def _is_new(self, language: str, tokens: Sequence) -> bool:
        return SHORTEST <= len(tokens) <= LONGEST and text(tokens) not in self._seen[language]

    def _count(self, turned_down: int, name: str, found: int) -> int:
        if turned_down == _PATIENCE:
            raise UserError(
                f"found only {found} sentences for {name} that are new and, for test, made of "
                "training words; ask for fewer, or for more --train-sentences"
            )
        return turned_down + 1


def _drawing(name: str, count: int) -> Progress:
    return Progress(total=count, unit="sentences", what=f"drawing {name}")
