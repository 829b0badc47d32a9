"""The Turkish words: a word for every concept, in the right forms."""

from __future__ import annotations

from fairseq_amber.demo_corpus.languages.turkish import lexicon


def test_every_concept_has_a_word(concept_names):
    assert set(lexicon.NOUNS) == concept_names["nouns"]
    assert set(lexicon.PRONOUNS) == concept_names["pronouns"]
    assert set(lexicon.VERBS) == concept_names["verbs"] | {"want", "be"}
    assert set(lexicon.ADJECTIVES) == concept_names["adjectives"]
    assert set(lexicon.TIMES) == concept_names["times"]
    assert set(lexicon.POSITIONS) == concept_names["positions"]
    assert set(lexicon.MANNERS) == concept_names["manners"]
    assert set(lexicon.NUMERALS) == concept_names["numerals"]


def test_forms():
    assert lexicon.NOUNS["brother"] == ("brother", "kardeş", "erkek")
    assert lexicon.VERBS["help"].object_case == "dative"
    assert lexicon.VERBS["think"].past == "imperfect" and lexicon.VERBS["read"].past == "past"
    assert lexicon.ADJECTIVES["old"].stem_of_living == "yaşlı"
