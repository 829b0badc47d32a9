"""The Russian words, read from the tables beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from fairseq_amber.demo_corpus.languages.fixed_words import read_fixed_words
from fairseq_amber.demo_corpus.word_table import Words, read_table

_FOLDER = Path(__file__).parent
CASES = ("nominative", "genitive", "dative", "accusative", "instrumental", "prepositional")


class Noun(NamedTuple):
    """A row of ``nouns.tsv``: the forms from which the other cases follow.

    Attributes:
        concept: the name of the concept.
        gender: masculine, feminine or neuter.
        animacy: the accusative of animates is often their genitive.
        singular: the nominative singular.
        singular_genitive: the genitive singular.
        plural: the nominative plural.
        plural_genitive: the genitive plural.
        irregular: forms that do not follow, such as ``sg.locative=саду``; or ``indeclinable``.
        place_preposition: the preposition for being at the place and for going there.
    """

    concept: str
    gender: Literal["m", "f", "n"]
    animacy: Literal["animate", "inanimate"]
    singular: str
    singular_genitive: str
    plural: str
    plural_genitive: str
    irregular: Words = ()
    place_preposition: Literal["в", "на"] = "в"


class Pronoun(NamedTuple):
    """A row of ``pronouns.tsv``.

    Attributes:
        concept: the name of the concept.
        nominative: the form in this case.
        genitive: the form in this case.
        dative: the form in this case.
        accusative: the form in this case.
    """

    concept: str
    nominative: str
    genitive: str
    dative: str
    accusative: str


class Determiner(NamedTuple):
    """A row of ``determiners.tsv``: a determiner with a gender, or in the plural.

    Attributes:
        concept: the name of the concept; ``own`` is "свой".
        slot: the gender, or ``pl`` for the plural.
        nominative: the form in this case.
        genitive: the form in this case.
        dative: the form in this case.
        accusative: the form in this case with inanimate nouns.
        instrumental: the form in this case.
        prepositional: the form in this case.
    """

    concept: str
    slot: Literal["m", "f", "n", "pl"]
    nominative: str
    genitive: str
    dative: str
    accusative: str
    instrumental: str
    prepositional: str


class Numeral(NamedTuple):
    """A row of ``numerals.tsv``.

    Attributes:
        concept: the name of the concept.
        masculine: the nominative with masculine and neuter nouns.
        feminine: the nominative with feminine nouns.
        animate_accusative: the accusative with animate nouns.
        noun_number: the number of the counted noun, which stands in the genitive.
    """

    concept: str
    masculine: str
    feminine: str
    animate_accusative: str
    noun_number: Literal["sg", "pl"]


class Adjective(NamedTuple):
    """A row of ``adjectives.tsv``.

    Attributes:
        concept: the name of the concept.
        masculine: the nominative masculine.
        comparative: the comparative, which is not inflected.
        comparative_of_things: the comparative for all but persons, where it is another one.
    """

    concept: str
    masculine: str
    comparative: str = ""
    comparative_of_things: str = ""


class ShortForms(NamedTuple):
    """A row of ``short_forms.tsv``: predicates that have no cases, such as "болен".

    Attributes:
        concept: the name of the concept; ``must`` is "должен".
        masculine: the form with a masculine subject.
        feminine: the form with a feminine subject.
        neuter: the form with a neuter subject.
        plural: the form with a plural subject.
    """

    concept: str
    masculine: str
    feminine: str
    neuter: str
    plural: str

    def form(self, slot: str) -> str:
        """The form for a gender (m, f, n) or the plural (pl)."""
        return self[1 + ("m", "f", "n", "pl").index(slot)]


class VerbForms(NamedTuple):
    """A row of ``verbs.tsv``: one aspect of a verb.

    Attributes:
        concept: the name of the concept.
        aspect: ``habitual`` is the imperfective for repeated motion: "ходить" beside "идти".
        infinitive: the infinitive.
        ya: the first person singular of the present; that of a perfective means the future.
        ty: the second person singular.
        on: the third person singular.
        my: the first person plural.
        oni: the third person plural.
        past: the masculine past, and after a slash the feminine if it is irregular.
    """

    concept: str
    aspect: Literal["imperfective", "perfective", "habitual"]
    infinitive: str
    ya: str
    ty: str
    on: str
    my: str
    oni: str
    past: str

    @property
    def present(self) -> Words:
        """The forms of я, ты, он, мы and они."""
        return self.ya, self.ty, self.on, self.my, self.oni


class VerbException(NamedTuple):
    """A row of ``verb_exceptions.tsv``: a verb whose use is not the usual one.

    Attributes:
        concept: the name of the concept.
        perfective_past: when the past of a single event is perfective: ``always``, only in
            ``affirmative`` clauses, or ``never``.
        object_case: the case of the object.
    """

    concept: str
    perfective_past: Literal["always", "affirmative", "never"] = "always"
    object_case: Literal["accusative", "dative"] = "accusative"


class Position(NamedTuple):
    """A row of ``positions.tsv``.

    Attributes:
        concept: the name of the concept.
        words: the preposition with its units, as ``tokens.adverbial`` reads them.
        case: the case of the landmark.
    """

    concept: str
    words: str
    case: Literal["locative", "instrumental"]


NOUNS = {row.concept: row for row in read_table(_FOLDER / "nouns.tsv", Noun)}
PRONOUNS = {row.concept: row for row in read_table(_FOLDER / "pronouns.tsv", Pronoun)}
NUMERALS = {row.concept: row for row in read_table(_FOLDER / "numerals.tsv", Numeral)}
ADJECTIVES = {row.concept: row for row in read_table(_FOLDER / "adjectives.tsv", Adjective)}
SHORT_FORMS = {row.concept: row for row in read_table(_FOLDER / "short_forms.tsv", ShortForms)}
POSITIONS = {row.concept: row for row in read_table(_FOLDER / "positions.tsv", Position)}
VERBS: dict[tuple[str, str], VerbForms] = {
    (row.concept, row.aspect): row for row in read_table(_FOLDER / "verbs.tsv", VerbForms, keys=2)
}
VERB_EXCEPTIONS = {
    row.concept: row for row in read_table(_FOLDER / "verb_exceptions.tsv", VerbException)
}
DETERMINERS: dict[str, dict[str, Words]] = {}  # concept -> slot -> the six cases
for _row in read_table(_FOLDER / "determiners.tsv", Determiner, keys=2):
    DETERMINERS.setdefault(_row.concept, {})[_row.slot] = _row[2:]
FIXED_WORDS = read_fixed_words(_FOLDER / "fixed_words.tsv")
JOINS, TIMES, MANNERS = FIXED_WORDS["join"], FIXED_WORDS["time"], FIXED_WORDS["manner"]
