"""The German words: a word for every concept, in the right forms."""

from __future__ import annotations

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.languages.german import lexicon


def test_every_concept_has_a_word(concept_names):
    assert set(lexicon.NOUNS) == concept_names["nouns"]
    assert set(lexicon.PRONOUNS) == concept_names["pronouns"]
    assert set(lexicon.VERBS) == concept_names["verbs"]
    assert set(lexicon.ADJECTIVES) == concept_names["adjectives"]
    assert set(lexicon.TIMES) == concept_names["times"]
    assert set(lexicon.POSITIONS) == concept_names["positions"]
    assert set(lexicon.MANNERS) == concept_names["manners"]
    assert set(lexicon.NUMERALS) == concept_names["numerals"]


def test_what_needs_a_form_has_it():
    comparable = {row.concept for row in lexicon.ADJECTIVES.values() if row.comparative}
    assert comparable == concepts.COMPARABLE
    assert all(lexicon.NOUNS[person].genitive for person in concepts.PERSONS)
    declensions = {declension for declension, _ in lexicon.ENDINGS}
    assert len(lexicon.ENDINGS) == len(declensions) * 4 == 24


def test_forms():
    assert lexicon.VERBS["call"].present == ("rufe", "rufst", "ruft", "rufen")
    assert lexicon.VERBS["call"].prefix == "an"
    assert lexicon.FINITE_FORMS["must", "present"][3] == "müssen"
    assert lexicon.ENDINGS["ein-", "n"].accusative == ""
