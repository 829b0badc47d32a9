"""Draws the meanings of sentences at random."""

from __future__ import annotations

from typing import Iterator

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.clause_sampler import ClauseSampler
from fairseq_amber.demo_corpus.meaning import (
    FEMININE_NAMES,
    Clause,
    NounPhrase,
    Sentence,
    nouns,
)
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler
from fairseq_amber.demo_corpus.variation import vary


class Sampler:
    """An endless, seeded stream of meanings."""

    def __init__(self, seed: str):
        self._chance = Chance(seed)
        self._phrases = PhraseSampler(self._chance)
        self._clauses = ClauseSampler(self._chance, self._phrases)

    def sentences(self) -> Iterator[Sentence]:
        """Yields meanings; about half of them are followed by some that differ in one word."""
        while True:
            sentence = self.sentence()
            yield sentence
            for _ in range(self._chance.below(4) if self._chance.is_true(0.5) else 0):
                variant = vary(sentence, self._chance, self._phrases)
                if variant is not None:
                    yield variant

    def sentence(self) -> Sentence:
        """Draws one meaning, in which no noun occurs twice."""
        while True:
            sentence = self._sentence()
            words = nouns(sentence)
            if len(set(words)) == len(words):
                return sentence

    def _sentence(self) -> Sentence:
        join = self._chance.weighted(
            [("", 60), ("and", 8), ("but", 8), ("because", 10), ("that", 14)]
        )
        if join == "that":
            return self._reported()
        if join == "because":
            return self._explained()
        if join:
            while True:
                second = self._clauses.simple(may_front=False)
                # Turkish drops these pronouns, and the first subject would seem to go on
                if second.subject.noun not in ("he", "she", "they"):
                    return Sentence(self._clauses.simple(), join=join, second=second)
        if self._chance.is_true(0.13):
            clause = self._clauses.simple(is_question=True, may_front=False)
            return Sentence(clause, question=True)
        return Sentence(self._clauses.simple())

    def _reported(self) -> Sentence:
        verb = self._chance.pick(concepts.REPORTING)
        tense = "past" if verb == "hear" or self._chance.is_true(0.3) else "present"
        matrix = Clause(
            "action",
            verb,
            self._phrases.person(),
            tense=tense,
            negated=verb == "know_that" and tense == "present" and self._chance.is_true(0.2),
        )
        while True:
            clause = self._clauses.simple(may_front=False)
            subject = clause.subject
            if subject.is_pronoun or subject.is_indefinite or subject.noun in concepts.MASS:
                continue
            if tense == "present" or clause.tense == "past":
                return Sentence(matrix, join="that", second=clause)

    def _explained(self) -> Sentence:
        while True:
            clause = self._clauses.action()
            pronoun = _pronoun_for(clause.subject)
            if pronoun is not None:
                break
        state = Clause(
            "quality",
            self._chance.pick(concepts.STATES),
            pronoun,
            tense="past" if clause.tense == "past" else "present",
            negated=self._chance.is_true(0.2),
        )
        return Sentence(clause, join="because", second=state)


def _pronoun_for(subject: NounPhrase) -> NounPhrase | None:
    """Returns the pronoun that stands for a subject in a second clause.

    Returns:
        The pronoun, or None where the languages disagree: a child and a girl are neuter in German.
    """
    if subject.is_pronoun:
        return subject
    if subject.noun not in concepts.PERSONS and not subject.is_name:
        return None
    if subject.plural:
        return NounPhrase("they", "")
    if subject.noun in ("child", "girl"):
        return None
    is_feminine = subject.noun in concepts.FEMININE_PERSONS or subject.noun in FEMININE_NAMES
    return NounPhrase("she" if is_feminine else "he", "")
