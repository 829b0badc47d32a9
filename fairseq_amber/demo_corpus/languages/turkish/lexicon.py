"""The Turkish words, read from the tables beside this file.

A stem gives its form before a vowel after a slash, where that differs: ``kitap/kitab`` for
"kitabı". A stem marked ``^`` takes front vowels against its last vowel: ``meşgul^`` for "meşgulüm".
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
        concept: the name of the concept.
        stem: the stem.
        before: a word that stands before it and is not inflected: "kız" in "kız kardeş".
    """

    concept: str
    stem: str
    before: str = ""


class Pronoun(NamedTuple):
    """A row of ``pronouns.tsv``; a pronoun as a subject is left to the verb.

    Attributes:
        concept: the name of the concept.
        accusative: the form as a direct object.
        dative: the form as an indirect object.
    """

    concept: str
    accusative: str
    dative: str


class Adjective(NamedTuple):
    """A row of ``adjectives.tsv``.

    Attributes:
        concept: the name of the concept.
        stem: the stem.
        stem_of_living: the stem for persons and animals, where it is another one.
    """

    concept: str
    stem: str
    stem_of_living: str = ""


class Verb(NamedTuple):
    """A row of ``verbs.tsv``.

    Attributes:
        concept: the name of the concept.
        stem: the stem.
        before: a word that stands before it and is not inflected: "tamir" in "tamir et".
        past: the tense that a past has; "bildi", the simple past of bil-, would mean "guessed".
        object_case: the case of a definite object.
    """

    concept: str
    stem: str
    before: str = ""
    past: Literal["past", "imperfect"] = "past"
    object_case: Literal["accusative", "dative"] = "accusative"


NOUNS = {row.concept: row for row in read_table(_FOLDER / "nouns.tsv", Noun)}
PRONOUNS = {row.concept: row for row in read_table(_FOLDER / "pronouns.tsv", Pronoun)}
ADJECTIVES = {row.concept: row for row in read_table(_FOLDER / "adjectives.tsv", Adjective)}
VERBS = {row.concept: row for row in read_table(_FOLDER / "verbs.tsv", Verb)}
FIXED_WORDS = read_fixed_words(_FOLDER / "fixed_words.tsv")
NUMERALS, POSSESSIVES = FIXED_WORDS["numeral"], FIXED_WORDS["possessive"]
POSITIONS, JOINS = FIXED_WORDS["position"], FIXED_WORDS["join"]
TIMES, MANNERS = FIXED_WORDS["time"], FIXED_WORDS["manner"]
