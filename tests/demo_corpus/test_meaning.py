"""Meanings: which nouns, phrases and combinations a sentence has."""

from __future__ import annotations

from fairseq_amber.demo_corpus.meaning import (
    Clause,
    NounPhrase,
    Sentence,
    combinations,
    nouns,
    phrases,
)

BOOK = NounPhrase("book", "of", adjective="red", possessor="teacher")
READS = Clause("action", "read", NounPhrase("girl"), object=BOOK, place=NounPhrase("park"))
IS_ILL = Clause("quality", "ill", NounPhrase("she", ""))


def test_phrases():
    sentence = Sentence(READS, join="because", second=IS_ILL)
    assert [phrase.noun for phrase in phrases(sentence)] == ["girl", "book", "park", "she"]


def test_nouns_leave_out_the_pronoun_after_because():
    assert nouns(Sentence(READS, join="because", second=IS_ILL)) == [
        *("girl", "book", "park"),
        "teacher",
    ]
    assert nouns(Sentence(READS, join="and", second=IS_ILL))[3:] == ["she", "teacher"]


def test_combinations():
    bigger = Clause("comparison", "big", NounPhrase("city"), object=NounPhrase("village"))
    assert list(combinations(Sentence(READS))) == [("red", "book"), ("read", "book")]
    assert list(combinations(Sentence(bigger))) == [("big", "city"), ("big", "village")]


def test_kinds_of_noun_phrases():
    assert NounPhrase("he", "").is_pronoun and NounPhrase("Anna", "").is_name
    assert NounPhrase("book", "two", plural=True).is_numbered
    new = [("book", "indefinite"), ("book", ""), ("book", "two")]
    assert all(NounPhrase(*phrase).is_indefinite for phrase in new)
    known = [("book", "definite"), ("book", "my"), ("he", ""), ("Anna", "")]
    assert not any(NounPhrase(*phrase).is_indefinite for phrase in known)
