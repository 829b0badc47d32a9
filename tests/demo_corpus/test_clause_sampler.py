"""Clauses: tense, time and subject fit the verb and the kind of sentence."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.clause_sampler import ClauseSampler
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler


@pytest.fixture
def sampler():
    chance = Chance("clauses")
    return ClauseSampler(chance, PhraseSampler(chance))


def test_all_kinds_occur(sampler):
    kinds = {sampler.simple().kind for _ in range(200)}
    assert kinds == {"action", "quality", "comparison", "position"}


def test_subjects_of_questions(sampler):
    for _ in range(500):
        subject = sampler.simple(is_question=True, may_front=False).subject
        assert not subject.is_indefinite and subject.noun not in ("I", "we")


def test_times_come_first_only_where_they_may(sampler):
    assert not any(sampler.simple(may_front=False).fronted for _ in range(300))
    fronted = [clause for clause in (sampler.simple() for _ in range(300)) if clause.fronted]
    assert fronted
    assert all(clause.time and clause.time not in concepts.NEVER_FIRST for clause in fronted)


def test_verbs_have_the_tenses_and_fillers_that_they_allow(sampler):
    for _ in range(1000):
        clause = sampler.action()
        verb = clause.predicate
        assert (clause.object is None) == (verb not in concepts.OBJECTS)
        assert (clause.recipient is not None) == (verb in concepts.DITRANSITIVE)
        assert (clause.direction != "at") == (verb in concepts.MOTION)
        assert clause.tense == "past" or verb not in concepts.PAST_ONLY
        assert clause.tense == "present" or verb not in concepts.PRESENT_ONLY
        assert clause.tense != "present" or verb not in concepts.NEVER_PRESENT or clause.modal
        assert not (clause.negated and clause.time in concepts.FREQUENCY)
        if clause.manner:
            assert clause.manner in concepts.MANNERS[verb]
