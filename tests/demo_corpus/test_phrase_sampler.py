"""Noun phrases: determiner, number and adjective fit the noun."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.chance import Chance
from fairseq_amber.demo_corpus.meaning import NounPhrase
from fairseq_amber.demo_corpus.phrase_sampler import PhraseSampler


@pytest.fixture
def sampler():
    return PhraseSampler(Chance("phrases"))


def test_masses_and_kin(sampler):
    masses = [sampler.phrase("milk", is_object=True) for _ in range(200)]
    assert not any(phrase.plural for phrase in masses)
    assert {phrase.determiner for phrase in masses} == {"definite", "this", "my", "our", ""}
    kin = [sampler.phrase("mother") for _ in range(200)]
    assert {phrase.determiner for phrase in kin} == {"definite", "my", "your", "our", "of"}
    assert not any(phrase.plural or phrase.adjective for phrase in kin)


def test_plain_phrases_are_definite(sampler):
    assert not any(sampler.phrase("book", is_plain=True).is_indefinite for _ in range(200))
    assert any(sampler.phrase("book").is_indefinite for _ in range(200))


def test_unowned_nouns_have_no_possessive(sampler):
    determiners = {sampler.phrase("woman").determiner for _ in range(300)}
    assert determiners.isdisjoint(("my", "your", "our", "of"))
    places = [sampler.place() for _ in range(500)]
    owned = {place.noun for place in places if place.determiner in ("my", "your", "our")}
    assert owned and owned.isdisjoint(concepts.UNOWNED)


def test_an_adjective_besides_another(sampler):
    apple = NounPhrase("apple")
    adjectives = {sampler.with_adjective(apple, 1.0, "big").adjective for _ in range(200)}
    assert adjectives == {"", "fresh", "cheap", "expensive", "red", "green"}
    assert sampler.with_adjective(apple, 0.0) == apple


def test_objects_fit_the_verb(sampler):
    for _ in range(200):
        assert sampler.object("drink", False).noun in concepts.OBJECTS["drink"]
        assert not sampler.object("see", is_negated=True).is_numbered
