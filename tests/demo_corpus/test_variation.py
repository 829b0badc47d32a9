"""Sentences that differ from another in one word."""

from __future__ import annotations

from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.meaning import Clause, NounPhrase, Sentence
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler
from fairseq_amber.demo_corpus.sampler import Sampler
from fairseq_amber.demo_corpus.variation import vary


def test_one_part_of_one_clause_differs():
    chance = Chance("vary")
    phrases = PhraseSampler(chance)
    sampler = Sampler("vary")
    varied = 0
    for _ in range(500):
        sentence = sampler.sentence()
        variant = vary(sentence, chance, phrases)
        if variant is None:
            continue
        varied += 1
        assert (variant.question, variant.join) == (sentence.question, sentence.join)
        differing = [
            (old, new)
            for before, after in zip(sentence.clauses, variant.clauses)
            for old, new in zip(before, after)
            if old != new
        ]
        assert len(differing) == 1
        old, new = differing[0]
        if isinstance(old, NounPhrase):
            assert sum(a != b for a, b in zip(old, new)) == 1
    assert varied > 100


def test_the_subject_before_because_stays():
    """Its pronoun in the second clause would no longer fit."""
    chance = Chance("because")
    sentence = Sentence(
        Clause("action", "sleep", NounPhrase("doctor")),
        join="because",
        second=Clause("quality", "ill", NounPhrase("he", "")),
    )
    phrases = PhraseSampler(chance)
    variants = [vary(sentence, chance, phrases) for _ in range(50)]
    assert {variant.clause.subject.noun for variant in variants if variant} <= {"doctor"}
