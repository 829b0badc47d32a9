"""What a sentence says, before any language: predicates, their fillers, and their features.

Concepts are named by English words. A meaning holds all that any of the languages needs, also what
most of them leave unsaid (Russian past tenses show the gender of "I").
"""

from __future__ import annotations

from typing import Iterator, NamedTuple

PRONOUNS = ("I", "you", "he", "she", "we", "they")
NAMES = ("Anna", "Maria", "Elena", "Viktor", "Martin", "Robert")
FEMININE_NAMES = ("Anna", "Maria", "Elena")
NUMERALS = ("two", "three", "four", "five", "ten")
POSSESSIVES = {"my": "I", "your": "you", "our": "we"}  # determiner -> the pronoun it stands for


class NounPhrase(NamedTuple):
    """A referent.

    determiner: "definite", "indefinite", "this", "of" (with a possessor), a possessive, a numeral,
        or "" for names, pronouns, and indefinite plurals and masses.
    possessor: of determiner "of", the noun of a definite singular owner.
    feminine: of "I" and "you", the gender of the person.
    """

    noun: str
    determiner: str = "definite"
    plural: bool = False
    adjective: str = ""
    possessor: str = ""
    feminine: bool = False

    @property
    def is_pronoun(self) -> bool:
        """Whether this is "I", "you", "he", "she", "we" or "they"."""
        return self.noun in PRONOUNS

    @property
    def is_name(self) -> bool:
        """Whether this is a person's name."""
        return self.noun in NAMES

    @property
    def is_numbered(self) -> bool:
        """Whether a numeral counts it."""
        return self.determiner in NUMERALS

    @property
    def is_indefinite(self) -> bool:
        """Whether it is new to the hearer: a book, books, two books, tea."""
        if self.is_pronoun or self.is_name:
            return False
        return self.determiner in ("indefinite", "") or self.is_numbered


class Clause(NamedTuple):
    """A predication.

    kind: "action" (predicate is a verb), "quality" (an adjective), "comparison" (an adjective,
        "object" is the standard) or "position" (a relation to "object", or "at" for "place").
    direction: of the place: "at", "to" or "from".
    modal: "", "want" or "must".
    """

    kind: str
    predicate: str
    subject: NounPhrase
    tense: str = "present"
    object: NounPhrase | None = None
    recipient: NounPhrase | None = None
    place: NounPhrase | None = None
    direction: str = "at"
    companion: NounPhrase | None = None
    time: str = ""
    fronted: bool = False  # the time comes first
    manner: str = ""
    modal: str = ""
    negated: bool = False


class Sentence(NamedTuple):
    """One clause, or two joined by "and", "but", "because" or "that"."""

    clause: Clause
    question: bool = False
    join: str = ""
    second: Clause | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses in order."""
        return (self.clause,) if self.second is None else (self.clause, self.second)


def phrases(sentence: Sentence) -> Iterator[NounPhrase]:
    """All noun phrases, clause by clause."""
    for clause in sentence.clauses:
        for phrase in (
            clause.subject,
            clause.object,
            clause.recipient,
            clause.place,
            clause.companion,
        ):
            if phrase is not None:
                yield phrase


def nouns(sentence: Sentence) -> list[str]:
    """The nouns, names and pronouns, but for the pronoun that takes up a subject after because."""
    words = [phrase.noun for phrase in phrases(sentence)]
    if sentence.join == "because":
        words.pop()
    return words + [phrase.possessor for phrase in phrases(sentence) if phrase.possessor]


def combinations(sentence: Sentence) -> Iterator[tuple[str, str]]:
    """(verb, noun of its object) and (adjective, the noun that it is said of)."""
    for phrase in phrases(sentence):
        if phrase.adjective:
            yield phrase.adjective, phrase.noun
    for clause in sentence.clauses:
        if clause.kind == "action" and clause.object is not None:
            yield clause.predicate, clause.object.noun
        elif clause.kind in ("quality", "comparison"):
            yield clause.predicate, clause.subject.noun
            if clause.object is not None:
                yield clause.predicate, clause.object.noun
