"""Turkish endings."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus.languages.turkish.morphology import (
    bare,
    finite,
    inflect,
    nominalised,
    past_copula,
    progressive,
    question_particle,
)


@pytest.mark.parametrize(
    "stem, endings, expected",
    [
        ("kitap/kitab", ["(y)I"], "kitabı"),
        ("kitap/kitab", ["DA"], "kitapta"),
        ("okul", ["lAr", "DAn"], "okullardan"),
        ("anne", ["(I)m", "(y)A"], "anneme"),
        ("göz", ["(I)mIz"], "gözümüz"),
        ("su/suy", ["(y)I"], "suyu"),
        ("meşgul^", ["(y)DI"], "meşguldü"),
        ("araba", ["(s)I", "nDA"], "arabasında"),
        ("doktor", [""], "doktor"),
    ],
)
def test_endings(stem, endings, expected):
    assert inflect(stem, *endings) == expected


def test_bare():
    assert [bare(stem) for stem in ("kitap/kitab", "meşgul^", "ev")] == ["kitap", "meşgul", "ev"]


@pytest.mark.parametrize(
    "stem, expected",
    [("oku", "okuyor"), ("bekle", "bekliyor"), ("git/gid", "gidiyor"), ("ye/yi", "yiyor")],
)
def test_progressive(stem, expected):
    assert progressive(stem, negated=False) == expected


def test_finite_verbs():
    assert finite("oku", "present", True, 0) == "okumuyorum"
    assert finite("git/gid", "past", False, 3) == "gittik"
    assert finite("git/gid", "future", False, 0) == "gideceğim"
    assert finite("iste", "imperfect", False, 4) == "istiyorlardı"


def test_other_forms():
    assert past_copula("hasta", 0) == "hastaydım" and past_copula("hasta", 4) == "hastalardı"
    assert nominalised("oku", "past", False) == "okuduğunu"
    assert nominalised("oku", "future", True) == "okumayacağını"
    assert question_particle("okuyor", "sIn") == "musun"
    assert question_particle("büyük", "(y)DI") == "müydü"
