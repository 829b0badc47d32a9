"""The meaning of a sentence, independent of any language: clauses, noun phrases, features.

English words name the concepts. A meaning holds all that any of the languages expresses: since
Russian past tenses show the gender of "I", it holds that too.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple

PRONOUNS = ("I", "you", "he", "she", "we", "they")
NAMES = ("Anna", "Maria", "Elena", "Viktor", "Martin", "Robert")
FEMININE_NAMES = ("Anna", "Maria", "Elena")
NUMERALS = ("two", "three", "four", "five", "ten")
POSSESSIVES = {"my": "I", "your": "you", "our": "we"}  # determiner -> the pronoun of its owner


class NounPhrase(NamedTuple):
    """A person or a thing that a clause speaks of.

    Attributes:
        noun: the concept, or a name or a pronoun.
        determiner: "definite", "indefinite", "this", "of" (with a possessor), a possessive, a
            numeral, or "" for names, pronouns, indefinite plurals and indefinite masses.
        plural: whether there are several.
        adjective: an adjective that describes it, or "".
        possessor: the noun of the owner, a definite singular, if the determiner is "of".
        feminine: whether "I" or "you" is a woman.
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
        """Whether the hearer does not know it yet: "a book", "books", "two books", "tea"."""
        if self.is_pronoun or self.is_name:
            return False
        return self.determiner in ("indefinite", "") or self.is_numbered


class Clause(NamedTuple):
    """A subject and what is said of it.

    Attributes:
        kind: "action", "quality", "comparison" or "position".
        predicate: the verb of an action, the adjective of a quality or a comparison, or a position:
            one to the object, or "at" the place.
        subject: who or what the clause speaks of.
        tense: "present", "past" or "future".
        object: the object of a verb, what a comparison compares with, or what a position refers to.
        recipient: who is given, shown, brought or sent something.
        place: where it happens.
        direction: whether one is "at" the place, goes "to" it or comes "from" it.
        companion: with whom the subject does it.
        time: when or how often it happens, or "".
        fronted: whether the time comes first.
        manner: how it is done, or "".
        modal: "want", "must" or "".
        negated: whether the clause is negated.
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
    fronted: bool = False
    manner: str = ""
    modal: str = ""
    negated: bool = False


class Sentence(NamedTuple):
    """One clause, or two with a conjunction between them.

    Attributes:
        clause: the first clause.
        question: whether it is a yes/no question.
        join: the conjunction: "and", "but", "because", "that" or "".
        second: the second clause.
    """

    clause: Clause
    question: bool = False
    join: str = ""
    second: Clause | None = None

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The one or two clauses, in order."""
        return (self.clause,) if self.second is None else (self.clause, self.second)


def phrases(sentence: Sentence) -> Iterator[NounPhrase]:
    """Yields all noun phrases, clause by clause."""
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
    """Lists the nouns, names and pronouns of a sentence.

    The subject after "because" is left out: it is the pronoun of the first subject.
    """
    words = [phrase.noun for phrase in phrases(sentence)]
    if sentence.join == "because":
        words.pop()
    return words + [phrase.possessor for phrase in phrases(sentence) if phrase.possessor]


def combinations(sentence: Sentence) -> Iterator[tuple[str, str]]:
    """Yields the pairs (verb, noun of its object) and (adjective, noun that it describes)."""
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
