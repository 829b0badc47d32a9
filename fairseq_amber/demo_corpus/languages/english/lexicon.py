"""The English words, read from the tables beside this file.

Nouns in the singular, adjectives, numerals and the other words that are not here are the names of
their concepts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from fairseq_amber.demo_corpus.languages.fixed_words import read_fixed_words
from fairseq_amber.demo_corpus.word_table import read_table

_FOLDER = Path(__file__).parent


class Noun(NamedTuple):
    """A row of ``nouns.tsv``.

    Attributes:
        concept: the name of the concept, which is also the singular.
        plural: the plural; masses have none.
        place_preposition: the preposition for being at the place.
    """

    concept: str
    plural: str = ""
    place_preposition: Literal["in", "at", "on"] = "in"


class Pronoun(NamedTuple):
    """A row of ``pronouns.tsv``.

    Attributes:
        concept: the name of the concept.
        subject: the form as a subject.
        object: the form as an object.
    """

    concept: str
    subject: str
    object: str


class Verb(NamedTuple):
    """A row of ``verbs.tsv``.

    Attributes:
        concept: the name of the concept.
        base: the base form.
        third_person: the third person singular of the present.
        past: the simple past.
        present_participle: the form of the progressive, with -ing.
        preposition: the preposition of the object, as in "wait for".
    """

    concept: str
    base: str
    third_person: str
    past: str
    present_participle: str
    preposition: str = ""


class Comparative(NamedTuple):
    """A row of ``comparatives.tsv``.

    Attributes:
        concept: the name of the adjective's concept.
        comparative: one word, or "more" and the adjective.
    """

    concept: str
    comparative: str


NOUNS = {row.concept: row for row in read_table(_FOLDER / "nouns.tsv", Noun)}
PRONOUNS = {row.concept: row for row in read_table(_FOLDER / "pronouns.tsv", Pronoun)}
VERBS = {row.concept: row for row in read_table(_FOLDER / "verbs.tsv", Verb)}
COMPARATIVES = {
    row.concept: row.comparative for row in read_table(_FOLDER / "comparatives.tsv", Comparative)
}
FIXED_WORDS = read_fixed_words(_FOLDER / "fixed_words.tsv")
POSITIONS, TIMES = FIXED_WORDS["position"], FIXED_WORDS["time"]
