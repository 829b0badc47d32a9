"""The Russian words: a word for every concept, in the right forms."""

from __future__ import annotations

from fairseq_amber.demo_corpus import concepts
from fairseq_amber.demo_corpus.languages.russian import lexicon
from fairseq_amber.demo_corpus.meaning import NAMES


def test_every_concept_has_a_word(concept_names):
    assert set(lexicon.NOUNS) == concept_names["nouns"] | set(NAMES)
    assert set(lexicon.PRONOUNS) == concept_names["pronouns"]
    verbs = concept_names["verbs"] | {"want"}
    assert {verb for verb, aspect in lexicon.VERBS if aspect == "imperfective"} == verbs
    assert set(lexicon.ADJECTIVES) | set(concepts.STATES) == concept_names["adjectives"]
    assert set(lexicon.SHORT_FORMS) == {*concepts.STATES, "must"}
    assert set(lexicon.TIMES) == concept_names["times"]
    assert set(lexicon.POSITIONS) == concept_names["positions"]
    assert set(lexicon.MANNERS) == concept_names["manners"]
    assert set(lexicon.NUMERALS) == concept_names["numerals"]


def test_exceptions_are_of_verbs_that_have_both_aspects():
    verbs = {row.concept for row in lexicon.VERB_EXCEPTIONS.values()}
    assert all((verb, "perfective") in lexicon.VERBS for verb in verbs)


def test_forms():
    assert lexicon.VERBS["go", "habitual"].present == ("хожу", "ходишь", "ходит", "ходим", "ходят")
    assert lexicon.SHORT_FORMS["must"].form("pl") == "должны"
    assert lexicon.DETERMINERS["own"]["f"][3] == "свою"
    comparable = {row.concept for row in lexicon.ADJECTIVES.values() if row.comparative}
    assert comparable == concepts.COMPARABLE
