"""Makes sentences that differ in one word, so that retrieval has to read whole sentences."""

from __future__ import annotations

from typing import Sequence

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.meaning import (
    NAMES,
    POSSESSIVES,
    Clause,
    NounPhrase,
    Sentence,
    nouns,
)
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler

_ROLES = ("subject", "object", "recipient", "place", "companion")
_SPECIAL = concepts.KIN | concepts.MASS  # these nouns do not take every determiner


def vary(sentence: Sentence, chance: Chance, sampler: PhraseSampler) -> Sentence | None:
    """Replaces one noun, name, adjective or time of a sentence.

    Returns:
        The new sentence, or None if the replacement that was drawn does not fit.
    """
    is_second = sentence.second is not None and sentence.join != "because"
    clause = sentence.clauses[-1] if is_second else sentence.clause
    slots = [role for role in _ROLES if getattr(clause, role) is not None]
    has_time = clause.time in concepts.TIMES[clause.tense] and not clause.modal
    slot = chance.pick([*slots, "time"] if has_time else slots)
    if slot == "time":
        varied = clause._replace(time=chance.pick(concepts.TIMES[clause.tense]))
    elif slot == "subject" and sentence.join == "because":
        return None  # the pronoun of the second clause would have to change too
    else:
        phrase = _replaced_phrase(getattr(clause, slot), clause, slot, chance, sampler)
        if phrase is None:
            return None
        varied = _with_role(clause, slot, phrase)
    if varied == clause:
        return None
    if is_second:
        changed = sentence._replace(second=varied)
    else:
        changed = sentence._replace(clause=varied)
    return changed if len(set(nouns(changed))) == len(nouns(changed)) else None


def _with_role(clause: Clause, role: str, phrase: NounPhrase) -> Clause:
    if role == "subject":
        return clause._replace(subject=phrase)
    if role == "object":
        return clause._replace(object=phrase)
    if role == "recipient":
        return clause._replace(recipient=phrase)
    if role == "place":
        return clause._replace(place=phrase)
    return clause._replace(companion=phrase)


def _replaced_phrase(
    phrase: NounPhrase, clause: Clause, role: str, chance: Chance, sampler: PhraseSampler
) -> NounPhrase | None:
    """Replaces the adjective or the noun of a phrase by another that fits; None if it does not."""
    if phrase.is_pronoun:
        return None
    if phrase.is_name:
        return phrase._replace(noun=chance.pick(NAMES))
    is_described = role == "subject" and clause.kind == "quality"
    if phrase.adjective and chance.is_true(0.5):
        besides = clause.predicate if is_described else ""
        return sampler.with_adjective(phrase._replace(adjective=""), 1.0, besides)
    choice: Sequence[str] = ()
    if role == "place":
        if phrase.determiner in ("definite", "this"):
            choice = concepts.PLACES
    elif role == "object" and clause.kind == "action":
        choice = concepts.OBJECTS[clause.predicate]
    elif phrase.noun in concepts.PERSONS and clause.kind != "comparison":
        choice = concepts.PERSONS
    if not choice:
        return None
    noun = chance.pick(choice)
    adjectives = concepts.ADJECTIVES[noun]
    is_alike = (noun in concepts.PERSONS) == (phrase.noun in concepts.PERSONS)
    if noun in _SPECIAL or phrase.noun in _SPECIAL or not is_alike:
        return None
    if phrase.determiner in POSSESSIVES and noun in concepts.UNOWNED:
        return None
    if phrase.adjective and phrase.adjective not in adjectives:
        return None
    if is_described and clause.predicate not in (*adjectives, *concepts.STATES):
        return None
    return phrase._replace(noun=noun)
