"""The German words, read from the tables beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from fairseq_amber.demo_corpus.languages.fixed_words import read_fixed_words
from fairseq_amber.demo_corpus.word_table import Words, read_table

_FOLDER = Path(__file__).parent


class Noun(NamedTuple):
    """A row of ``nouns.tsv``.

    Attributes:
        concept: the name of the concept.
        gender: masculine, feminine or neuter.
        singular: the nominative singular.
        plural: the nominative plural.
        genitive: the genitive singular; only persons have it, since only they are possessors.
        place_preposition: the preposition for being at the place.
    """

    concept: str
    gender: Literal["m", "f", "n"]
    singular: str
    plural: str
    genitive: str = ""
    place_preposition: Literal["in", "an", "auf"] = "in"


class Pronoun(NamedTuple):
    """A row of ``pronouns.tsv``: the concept and its form in each case.

    Attributes:
        concept: the name of the concept.
        nominative: the form as a subject.
        accusative: the form as a direct object.
        dative: the form as an indirect object.
    """

    concept: str
    nominative: str
    accusative: str
    dative: str


class Endings(NamedTuple):
    """A row of ``endings.tsv``: the endings of one declension for a gender or the plural.

    Attributes:
        declension: ``article`` has the whole articles; ``dies-`` and ``ein-`` are of determiners,
            ``ein-`` also of "kein" and "mein"; adjectives are ``weak`` after "der" and "dieser",
            ``mixed`` after "ein", "kein" and "mein", and ``strong`` after a numeral or nothing.
        slot: the gender, or ``pl`` for the plural.
        nominative: the ending in this case.
        accusative: the ending in this case.
        dative: the ending in this case.
        genitive: the ending in this case.
    """

    declension: Literal["article", "dies-", "ein-", "weak", "mixed", "strong"]
    slot: Literal["m", "f", "n", "pl"]
    nominative: str = ""
    accusative: str = ""
    dative: str = ""
    genitive: str = ""


class Adjective(NamedTuple):
    """A row of ``adjectives.tsv``.

    Attributes:
        concept: the name of the concept.
        form: the form without an ending.
        comparative: the comparative without an ending.
        stem: the stem before an ending, where it is not ``form``.
    """

    concept: str
    form: str
    comparative: str = ""
    stem: str = ""


class Verb(NamedTuple):
    """A row of ``verbs.tsv``.

    Attributes:
        concept: the name of the concept.
        infinitive: the infinitive without a separable prefix; also the present of "wir" and "sie".
        ich: the first person singular of the present.
        du: the second person singular of the present.
        er: the third person singular of the present.
        auxiliary: the auxiliary of the perfect.
        participle: the past participle.
        prefix: the separable prefix.
        object_case: the case of an object without a preposition.
        object_preposition: the preposition of the object, which is then in the accusative.
    """

    concept: str
    infinitive: str
    ich: str
    du: str
    er: str
    auxiliary: Literal["hat", "ist"]
    participle: str
    prefix: str = ""
    object_case: Literal["accusative", "dative"] = "accusative"
    object_preposition: str = ""

    @property
    def present(self) -> Words:
        """The present of ich, du, er and the plural."""
        return self.ich, self.du, self.er, self.infinitive


class FiniteForms(NamedTuple):
    """A row of ``finite_forms.tsv``: auxiliaries, modals, and pasts that are preterites.

    Attributes:
        concept: the name of the concept.
        tense: the tense of the forms.
        ich: the first person singular.
        du: the second person singular.
        er: the third person singular.
        plural: the first and third person plural.
    """

    concept: str
    tense: Literal["present", "past"]
    ich: str
    du: str
    er: str
    plural: str

    @property
    def forms(self) -> Words:
        """The forms of ich, du, er and the plural."""
        return self.ich, self.du, self.er, self.plural


NOUNS = {row.concept: row for row in read_table(_FOLDER / "nouns.tsv", Noun)}
PRONOUNS = {row.concept: row for row in read_table(_FOLDER / "pronouns.tsv", Pronoun)}
ENDINGS: dict[tuple[str, str], Endings] = {
    (row.declension, row.slot): row for row in read_table(_FOLDER / "endings.tsv", Endings, keys=2)
}
ADJECTIVES = {row.concept: row for row in read_table(_FOLDER / "adjectives.tsv", Adjective)}
VERBS = {row.concept: row for row in read_table(_FOLDER / "verbs.tsv", Verb)}
FINITE_FORMS: dict[tuple[str, str], Words] = {
    (row.concept, row.tense): row.forms
    for row in read_table(_FOLDER / "finite_forms.tsv", FiniteForms, keys=2)
}
FIXED_WORDS = read_fixed_words(_FOLDER / "fixed_words.tsv")
NUMERALS, POSSESSIVES = FIXED_WORDS["numeral"], FIXED_WORDS["possessive"]
POSITIONS, JOINS = FIXED_WORDS["position"], FIXED_WORDS["join"]
TIMES, MANNERS = FIXED_WORDS["time"], FIXED_WORDS["manner"]
