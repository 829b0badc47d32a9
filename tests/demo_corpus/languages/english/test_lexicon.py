"""The English words: a word for every concept, in the right forms."""

from __future__ import annotations

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.languages.english import lexicon


def test_every_concept_has_a_word(concept_names):
    assert set(lexicon.NOUNS) == concept_names["nouns"]
    assert set(lexicon.PRONOUNS) == concept_names["pronouns"]
    assert set(lexicon.VERBS) == concept_names["verbs"] | {"want"}
    assert set(lexicon.COMPARATIVES) == concepts.COMPARABLE
    assert set(lexicon.TIMES) == concept_names["times"]
    assert set(lexicon.POSITIONS) == concept_names["positions"]


def test_forms():
    assert lexicon.NOUNS["library"].plural == "libraries"
    assert lexicon.NOUNS["station"].place_preposition == "at"
    assert lexicon.VERBS["wait_for"] == ("wait_for", "wait", "waits", "waited", "waiting", "for")


def test_only_masses_lack_a_plural():
    lacking = {noun.concept for noun in lexicon.NOUNS.values() if not noun.plural}
    assert lacking == concepts.MASS
