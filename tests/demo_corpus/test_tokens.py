"""Tokens, and the word alignments that follow from their units."""

from __future__ import annotations

import pytest

from demo_corpus_meanings import MEANINGS
from fairseq_amber.demo_corpus.tokens import Token, adverbial, finish, pharaoh, text


def test_text():
    assert text([Token("Ein"), Token("Buch"), Token(".")]) == "Ein Buch ."


def test_units_that_are_a_word_in_both_languages_are_sure():
    source = [Token("a", ("1",)), Token("b", ("2",), ("3",)), Token("c", (), ("4",))]
    target = [Token("x", ("3",)), Token("y", ("1", "2")), Token("z", (), ("4",))]
    assert pharaoh(source, target) == "0-1 1p0 1-1"


def test_finish():
    statement = finish([Token("er", ("s",)), Token("liest", ("v",))], False, "E")
    assert statement == [Token("Er", ("s",)), Token("liest", ("v",)), Token(".", (".",))]
    question = finish([Token("içti")], True, "İ")
    assert question == [Token("İçti"), Token("?", (".",), ("?",))]


def test_adverbial():
    assert adverbial("am/12 Morgen/3", "At") == [
        Token("am", ("At1", "At2")),
        Token("Morgen", ("At3",)),
    ]
    assert adverbial("утром/3~12", "At") == [Token("утром", ("At3",), ("At1", "At2"))]


# (rule, source, target) -> links drawn by hand
ALIGNMENTS = {
    # Der Junge liest das Buch . / The boy is reading the book .
    ("present, definite object", "de", "en"): "0-0 1-1 2p2 2-3 3-4 4-5 5-6",
    # Мальчик читает книгу . / The boy is reading the book .
    ("present, definite object", "ru", "en"): "0p0 0-1 1p2 1-3 2p4 2-5 3-6",
    # Oğlan kitabı okuyor . / The boy is reading the book .
    ("present, definite object", "tr", "en"): "0p0 0-1 1p4 1-5 2p2 2-3 3-6",
    # Der Junge liest das Buch . / Мальчик читает книгу .
    ("present, definite object", "de", "ru"): "0p0 1-0 2-1 3p2 4-2 5-3",
    # Sie hat keine Milch getrunken . / She did not drink milk .
    ("kein; mass noun; imperfective under negation", "de", "en"): "0-0 1-1 2-2 3-4 4-3 5-5",
    # Süt içmedi . / She did not drink milk .
    ("kein; mass noun; imperfective under negation", "tr", "en"): "0-4 1p0 1p1 1p2 1-3 2-5",
    # Am Montag ist Anna zum Bahnhof gegangen . / On Monday Anna went to the station .
    (
        "verb second after a fronted time; sein perfect; zum",
        "de",
        "en",
    ): "0-0 1-1 2p3 3-2 4-4 4-5 5-6 6-3 7-7",
    # Мать знает , что брат завтра позвонит моему другу .
    # The mother knows that the brother will call my friend tomorrow .
    (
        "subordinate that: verb last; nominalised",
        "ru",
        "en",
    ): "0p0 0-1 1-2 3-3 4p4 4-5 5-10 6p6 6-7 7-8 8-9 9-11",
    # Anne erkek kardeşin yarın arkadaşıma telefon edeceğini biliyor .
    (
        "subordinate that: verb last; nominalised",
        "tr",
        "en",
    ): "0p0 0-1 1-5 2p4 2-5 3-10 4p8 4-9 5-7 6p3 6p6 6-7 7-2 8-11",
    # Die Mutter weiß , dass der Bruder morgen meinen Freund anrufen wird .
    # Мать знает , что брат завтра позвонит моему другу .
    (
        "subordinate that: verb last; nominalised",
        "de",
        "ru",
    ): "0p0 1-0 2-1 3-2 4-3 5p4 6-4 7-5 8-7 9-8 10-6 11p6 12-9",
    # Misafir öğretmenin yeni penceresini dikkatlice açtı .
    # The guest opened the teacher 's new window carefully .
    (
        "possessor: 's, genitive, double marking",
        "tr",
        "en",
    ): "0p0 0-1 1p3 1-4 1p5 2-6 3p5 3-7 4-8 5-2 6-9",
    # Dün bir elma yedin mi ? / Did you eat an apple yesterday ?
    (
        "an before the noun; time; question",
        "tr",
        "en",
    ): "0-5 1-3 2-4 3p0 3p1 3-2 4p6 5-6",
}


@pytest.mark.parametrize("key", ALIGNMENTS, ids=lambda key: f"{key[0]}, {key[1]}-{key[2]}")
def test_alignment(realisers, key):
    rule, source, target = key
    meaning = MEANINGS[rule]
    assert pharaoh(realisers[source](meaning), realisers[target](meaning)) == ALIGNMENTS[key]
