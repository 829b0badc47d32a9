"""Draws noun phrases: a noun with a determiner, a number and an adjective that fit it."""

from __future__ import annotations

from typing import List, Tuple

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.meaning import NAMES, NUMERALS, PRONOUNS, NounPhrase

_Weights = List[Tuple[str, float]]  # determiner, weight
_OF_KIN: _Weights = [("definite", 25), ("my", 25), ("your", 12), ("our", 18), ("of", 20)]
_OF_MASSES: _Weights = [("definite", 40), ("this", 10), ("my", 6), ("our", 4)]
_OF_UNOWNED: _Weights = [("definite", 85), ("this", 15)]
_OF_PERSONS: _Weights = [("definite", 44), ("this", 12), ("my", 6), ("your", 4), ("our", 4)]
_OF_THINGS: _Weights = [
    ("definite", 38),
    ("this", 12),
    ("my", 6),
    ("your", 4),
    ("our", 4),
    ("of", 6),
]
_INDEFINITE: _Weights = [("indefinite", 20), ("numeral", 7)]
_BARE: _Weights = [("", 8)]
_BARE_MASS: _Weights = [("", 40)]


class PhraseSampler:
    """Draws the noun phrases of a clause; a "plain" phrase is definite."""

    def __init__(self, chance: Chance):
        self._chance = chance

    def person(self, is_plain: bool = False, pronouns: float = 0.2) -> NounPhrase:
        """Draws a person: a pronoun (with this probability), a name or a noun."""
        if self._chance.is_true(pronouns):
            return self._pronoun()
        if self._chance.is_true(0.14):
            return self.name()
        return self.phrase(self._chance.pick(concepts.PERSONS), is_plain)

    def name(self) -> NounPhrase:
        """Draws the name of a person."""
        return NounPhrase(self._chance.pick(NAMES), "")

    def _pronoun(self) -> NounPhrase:
        noun = self._chance.pick(PRONOUNS)
        return NounPhrase(noun, "", feminine=noun in ("I", "you") and self._chance.is_true(0.5))

    def phrase(
        self, noun: str, is_plain: bool = False, adjectives: float = 0.3, is_object: bool = False
    ) -> NounPhrase:
        """Draws determiner, number and adjective of a noun.

        Args:
            noun: the noun.
            is_plain: whether the phrase must be definite.
            adjectives: the probability of an adjective.
            is_object: whether the phrase is an object; only objects can be indefinite plurals and
                indefinite masses ("books", "tea").
        """
        chance = self._chance
        determiner = chance.weighted(_determiners(noun, is_plain, is_object))
        if determiner == "numeral":
            determiner = chance.pick(NUMERALS)
        if noun in concepts.KIN:
            plural = noun in ("sister", "brother") and chance.is_true(0.2)
            adjectives = 0
        elif noun in concepts.MASS:
            plural = False
        elif determiner in NUMERALS or not determiner:
            plural = True
        else:
            plural = determiner != "indefinite" and chance.is_true(0.22)
        possessor = chance.pick(concepts.PERSONS) if determiner == "of" else ""
        phrase = NounPhrase(noun, determiner, plural, possessor=possessor)
        return self.with_adjective(phrase, adjectives)

    def with_adjective(
        self, phrase: NounPhrase, probability: float, besides: str = ""
    ) -> NounPhrase:
        """Adds an adjective to a phrase with this probability.

        Args:
            phrase: the phrase.
            probability: the probability of an adjective.
            besides: another adjective said of the noun; the new one never names the same property.
        """
        if not self._chance.is_true(probability):
            return phrase
        adjective = self._chance.pick(concepts.ADJECTIVES[phrase.noun])
        if besides and concepts.same_dimension(adjective, besides):
            return phrase
        return phrase._replace(adjective=adjective)

    def place(self) -> NounPhrase:
        """Draws a place to be at, to go to or to come from."""
        noun = self._chance.pick(concepts.PLACES)
        determiner = "definite"
        if self._chance.is_true(0.1):
            determiner = "this"
        elif noun not in concepts.UNOWNED and self._chance.is_true(0.3):
            determiner = self._chance.pick(("my", "our", "your"))
        return self.with_adjective(NounPhrase(noun, determiner), 0.25)

    def object(self, verb: str, is_negated: bool) -> NounPhrase:
        """Draws the object of a verb."""
        noun = self._chance.pick(concepts.OBJECTS[verb])
        if noun in concepts.PERSONS:
            if self._chance.is_true(0.18):
                return self._pronoun()
            if self._chance.is_true(0.18):
                return self.name()
        phrase = self.phrase(noun, verb in concepts.PRESENT_ONLY, is_object=True)
        if phrase.is_numbered and (is_negated or verb in concepts.INDIRECT):
            return phrase._replace(determiner="definite")
        return phrase


def _determiners(noun: str, is_plain: bool, is_object: bool) -> _Weights:
    if noun in concepts.KIN:
        return _OF_KIN
    if noun in concepts.MASS:
        return _OF_MASSES + _BARE_MASS if is_object and not is_plain else _OF_MASSES
    if noun in concepts.UNOWNED:
        definite = _OF_UNOWNED
    else:
        definite = _OF_PERSONS if noun in concepts.PERSONS else _OF_THINGS
    if is_plain:
        return definite
    return definite + _INDEFINITE + _BARE if is_object else definite + _INDEFINITE
