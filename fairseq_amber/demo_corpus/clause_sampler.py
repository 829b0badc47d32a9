"""Draws clauses: actions, qualities, comparisons and positions."""

from __future__ import annotations

from typing import Callable, Sequence

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler

_LIVESTOCK = ("horse", "cow", "goat")
_THINGS = tuple(
    noun
    for noun in dict.fromkeys(concepts.GOODS + concepts.VEHICLES + concepts.BUILDINGS)
    if noun not in _LIVESTOCK
)
_VERBS: list[tuple[tuple[str, ...], float]] = [
    (concepts.INTRANSITIVE, 16),
    (concepts.MOTION, 10),
    (concepts.DITRANSITIVE, 16),
    (concepts.TRANSITIVE, 58),
]
_PREDICATED: tuple[tuple[str, ...], ...] = (
    concepts.PERSONS,
    _THINGS,
    concepts.ANIMALS,
    concepts.PLACES,
)
_POSITIONED = concepts.PORTABLE + concepts.ANIMALS + concepts.PERSONS


class ClauseSampler:
    """Draws clauses of all kinds that ``meaning.Clause`` names.

    Where ``is_question`` is true, the subject is definite and neither "I" nor "we"; where
    ``may_front`` is true, the time may come first.
    """

    def __init__(self, chance: Chance, phrases: PhraseSampler):
        self._chance = chance
        self._phrases = phrases

    def simple(self, is_question: bool = False, may_front: bool = True) -> Clause:
        """Draws a clause of any kind."""
        makers: list[tuple[Callable[..., Clause], float]] = [
            (self.action, 68),
            (self._quality, 13),
            (self._position, 12),
            (self._comparison, 7),
        ]
        return self._chance.weighted(makers)(is_question=is_question, may_front=may_front)

    def action(self, is_question: bool = False, may_front: bool = True) -> Clause:
        """Draws a clause in which somebody does something."""
        while True:
            clause = self._unchecked_action(is_question, may_front)
            subject, thing = clause.subject, clause.object
            if (is_question or clause.negated) and subject.is_indefinite:
                continue
            if is_question and subject.noun in ("I", "we"):
                continue
            both = {subject.noun, thing.noun if thing else ""}
            # "I see us" and "he sees him" need reflexive pronouns, which the grammars lack
            if thing and thing.is_pronoun and (both <= {"I", "we"} or subject.noun == thing.noun):
                continue
            return clause

    def _unchecked_action(self, is_question: bool, may_front: bool) -> Clause:
        if self._chance.is_true(0.1):
            verb = self._chance.pick(concepts.ANIMAL_ACTIONS)
            subject = self._phrases.phrase(self._chance.pick(concepts.ANIMALS))
        else:
            verb = self._chance.pick(self._chance.weighted(_VERBS))
            subject = self._phrases.person()
        negated = not is_question and self._chance.is_true(0.17)
        modal, tense, time = self._time(verb, negated, is_question, subject)
        if time in concepts.FREQUENCY or modal == "must":
            negated = False
        thing = self._phrases.object(verb, negated) if verb in concepts.OBJECTS else None
        recipient = None
        if verb in concepts.DITRANSITIVE:
            recipient = self._phrases.person(pronouns=0)
            if recipient.is_numbered:
                recipient = recipient._replace(determiner="definite")
        is_alone = thing is None
        place, direction = None, "at"
        if verb in concepts.MOTION:
            direction = "to" if verb == "go" else "from"
            place = self._phrases.place()
        elif (is_alone or verb in concepts.PLACED) and self._chance.is_true(
            0.45 if is_alone else 0.2
        ):
            place = self._phrases.place()
        companion = None
        is_shared = is_alone or verb in concepts.SHARED
        if is_shared and subject.noun not in concepts.ANIMALS and self._chance.is_true(0.25):
            companion = self._phrases.person(is_plain=True, pronouns=0)
        manners = concepts.MANNERS[verb]
        manner = ""
        if manners and not negated and not companion and self._chance.is_true(0.25):
            manner = self._chance.pick(manners)
        may_front = may_front and bool(time) and time not in concepts.NEVER_FIRST
        return Clause(
            "action",
            verb,
            subject,
            tense=tense,
            object=thing,
            recipient=recipient,
            place=place,
            direction=direction,
            companion=companion,
            time=time,
            fronted=may_front and self._chance.is_true(0.4),
            manner=manner,
            modal=modal,
            negated=negated,
        )

    def _time(
        self, verb: str, negated: bool, is_question: bool, subject: NounPhrase
    ) -> tuple[str, str, str]:
        """Draws modal, tense and time among those that the verb allows."""
        if verb in concepts.PRESENT_ONLY:
            return "", "present", ""
        if verb in concepts.PAST_ONLY:
            time = self._chance.pick(concepts.TIMES["past"]) if self._chance.is_true(0.5) else ""
            return "", "past", time
        is_free = verb not in concepts.STATIVE and subject.noun not in concepts.ANIMALS
        if is_free and self._chance.is_true(0.16):
            if not is_question and self._chance.is_true(0.4):
                return "must", "present", self._some(("today", "tomorrow", "now", "every_day"))
            if self._chance.is_true(0.3):
                return "want", "past", self._some(("yesterday",))
            return "want", "present", self._some(("today", "tomorrow"))
        tense = self._chance.weighted([("present", 36), ("past", 42), ("future", 22)])
        if verb in concepts.NEVER_PRESENT and tense == "present":
            tense = "past"
        if not negated and self._chance.is_true({"present": 0.35, "past": 0.12}.get(tense, 0)):
            return "", tense, self._chance.pick(concepts.FREQUENT)
        if tense == "present" and verb in concepts.STATIVE:
            return "", tense, ""
        return "", tense, self._some(concepts.TIMES[tense])

    def _some(self, times: Sequence[str]) -> str:
        return self._chance.pick(times) if self._chance.is_true(0.45) else ""

    def _quality(self, is_question: bool = False, may_front: bool = True) -> Clause:
        nouns = self._chance.pick(_PREDICATED)
        negated = not is_question and self._chance.is_true(0.2)
        is_living = nouns in (concepts.PERSONS, concepts.ANIMALS)
        if is_living and self._chance.is_true(0.5):
            states: tuple[str, ...] = concepts.STATES
            if nouns is concepts.PERSONS:
                subject = self._phrases.person(is_plain=True, pronouns=0 if is_question else 0.2)
            else:
                subject = self._phrases.phrase(self._chance.pick(nouns), is_plain=True)
                states = concepts.ANIMAL_STATES
            tense = "past" if self._chance.is_true(0.4) else "present"
            times = ("yesterday", "last_week") if tense == "past" else ("today", "now")
            time = self._some(times)
            fronted = may_front and bool(time) and self._chance.is_true(0.4)
            return Clause(
                "quality",
                self._chance.pick(states),
                subject,
                tense=tense,
                time=time,
                fronted=fronted,
                negated=negated,
            )
        noun = self._chance.pick(nouns)
        predicate = self._chance.pick(concepts.ADJECTIVES[noun])
        tense = self._chance.weighted([("present", 60), ("past", 25), ("future", 15)])
        if tense == "future" and predicate not in concepts.LASTING:
            tense = "past"
        subject = self._phrases.phrase(noun, is_plain=True, adjectives=0)
        if noun not in concepts.KIN:
            subject = self._phrases.with_adjective(subject, 0.3, besides=predicate)
        return Clause("quality", predicate, subject, tense=tense, negated=negated)

    def _comparison(self, is_question: bool = False, may_front: bool = True) -> Clause:
        while True:
            nouns = self._chance.pick(concepts.COMPARED)
            first, second = self._chance.pick(nouns), self._chance.pick(nouns)
            shared = [
                adjective
                for adjective in concepts.ADJECTIVES[first]
                if adjective in concepts.ADJECTIVES[second] and adjective in concepts.COMPARABLE
            ]
            if first != second and shared:
                break
        return Clause(
            "comparison",
            self._chance.pick(shared),
            self._phrases.phrase(first, is_plain=True, adjectives=0),
            tense="past" if self._chance.is_true(0.25) else "present",
            object=self._phrases.phrase(second, is_plain=True, adjectives=0),
            negated=not is_question and self._chance.is_true(0.2),
        )

    def _position(self, is_question: bool = False, may_front: bool = True) -> Clause:
        negated = not is_question and self._chance.is_true(0.15)
        tense = "past" if not negated and self._chance.is_true(0.35) else "present"
        if self._chance.is_true(0.4):
            subject = self._phrases.person(is_plain=True)
            if is_question and subject.noun in ("I", "we"):
                subject = self._phrases.name()
            time = self._some(("yesterday",) if tense == "past" else ("now", "today"))
            return Clause(
                "position",
                "at",
                subject,
                tense=tense,
                place=self._phrases.place(),
                time=time,
                fronted=may_front and bool(time) and self._chance.is_true(0.4),
                negated=negated,
            )
        while True:
            relation = self._chance.pick(tuple(concepts.POSITIONS))
            landmark = self._chance.pick(concepts.POSITIONS[relation])
            noun = self._chance.pick(_POSITIONED)
            if noun != landmark and concepts.fits(relation, noun):
                break
        return Clause(
            "position",
            relation,
            self._phrases.phrase(noun, is_plain=True),
            tense=tense,
            object=self._phrases.phrase(landmark, is_plain=True),
            negated=negated,
        )
