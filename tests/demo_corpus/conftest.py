"""A small demo corpus, as files, and the languages of its grammar."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.demo_corpus import concepts, languages, writer
from fairseq_amber.demo_corpus.corpus import Settings
from fairseq_amber.demo_corpus.meaning import NUMERALS, PRONOUNS


@pytest.fixture(scope="session")
def realisers():
    return languages.realisers()


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings(
        pairs=("de-en", "ru-en", "tr-en", "de-ru"),
        train_sentences=600,
        valid_sentences=20,
        test_sentences=30,
        mono_sentences=40,
    )


@pytest.fixture(scope="session")
def folder(settings, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "raw"
    writer.write(path, settings)
    return path


@pytest.fixture(scope="session")
def lines():
    """Reads the lines of a file, the last of which must end too."""

    def read(path: Path) -> list[str]:
        content = path.read_text(encoding="utf-8")
        assert content.endswith("\n")
        return content.split("\n")[:-1]

    return read


@pytest.fixture(scope="session")
def concept_names() -> dict[str, set[str]]:
    """The names of all concepts that a language needs words for."""
    adjectives = {word for words in concepts.ADJECTIVES.values() for word in words}
    return {
        "nouns": set(concepts.ADJECTIVES),
        "verbs": set(concepts.MANNERS),
        "adjectives": adjectives | set(concepts.STATES),
        "times": {time for times in concepts.TIMES.values() for time in times} | concepts.FREQUENCY,
        "positions": set(concepts.POSITIONS),
        "manners": {manner for manners in concepts.MANNERS.values() for manner in manners},
        "numerals": set(NUMERALS),
        "pronouns": set(PRONOUNS),
    }
