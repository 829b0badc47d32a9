"""Russian forms, each class of nouns, adjectives and pasts by one word."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus.languages.russian.lexicon import CASES, NOUNS
from fairseq_amber.demo_corpus.languages.russian.morphology import (
    adjective_forms,
    noun_forms,
    past_forms,
)


@pytest.mark.parametrize(
    "concept, singular, plural",
    [
        (
            "book",
            "книга книги книге книгу книгой книге",
            "книги книг книгам книги книгами книгах",
        ),
        (
            "bottle",
            "бутылка бутылки бутылке бутылку бутылкой бутылке",
            "бутылки бутылок бутылкам бутылки бутылками бутылках",
        ),
        (
            "singer",
            "певица певицы певице певицу певицей певице",
            "певицы певиц певицам певиц певицами певицах",
        ),
        (
            "door",
            "дверь двери двери дверь дверью двери",
            "двери дверей дверям двери дверями дверях",
        ),
        (
            "teacher",
            "учитель учителя учителю учителя учителем учителе",
            "учителя учителей учителям учителей учителями учителях",
        ),
        (
            "window",
            "окно окна окну окно окном окне",
            "окна окон окнам окна окнами окнах",
        ),
    ],
)
def test_nouns(concept, singular, plural):
    forms = noun_forms(NOUNS[concept])
    assert " ".join(forms[False, case] for case in CASES) == singular
    assert " ".join(forms[True, case] for case in CASES) == plural


def test_irregular_nouns():
    assert set(noun_forms(NOUNS["coat"]).values()) == {"пальто"}
    garden = noun_forms(NOUNS["garden"])
    assert garden[False, "locative"] == "саду" and garden[False, "prepositional"] == "саде"
    assert noun_forms(NOUNS["child"])[True, "instrumental"] == "детьми"


def test_adjectives():
    new = adjective_forms("новый")
    assert new["m"] == ("новый", "нового", "новому", "новый", "новым", "новом")
    assert new["f"] == ("новая", "новой", "новой", "новую", "новой", "новой")
    assert new["pl"] == ("новые", "новых", "новым", "новые", "новыми", "новых")
    assert adjective_forms("синий")["n"][:3] == ("синее", "синего", "синему")
    assert adjective_forms("большой")["m"][1] == "большого"
    assert adjective_forms("хороший")["m"][1] == "хорошего"
    assert adjective_forms("тихий")["pl"][0] == "тихие"


def test_pasts():
    assert past_forms("читал") == {"m": "читал", "f": "читала", "n": "читало", "pl": "читали"}
    assert past_forms("шёл/шла") == {"m": "шёл", "f": "шла", "n": "шло", "pl": "шли"}
    assert past_forms("смеялся/смеялась")["pl"] == "смеялись"
