"""Words of text, against the tokenisers that they are named after."""

import pytest

from fairseq_amber.tokenizers import word_splitters
from fairseq_amber.tokenizers.word_splitters import (
    check_splitter,
    word_begins,
    word_splitter,
)
from learnt_tokenizers import basic_tokeniser

LINES = [
    'The house, however, burns. "Why?" she asked (twice)... $5 + 3% ~ <b>x</b>',
    "Wie geht's z. B. dem Baum-Haus, Größe 5,5 m² — »gut« sagt er; ¿no?",
    "我们 在北京。他说：“好的”，OK? 日本語のテスト、カタカナ",
    "Цена — 5 руб. «Да», o'zbek  a\u00a0b\tc _x_ `y` @me #tag",
    "",
]


def test_spaces_keep_the_tokens_of_a_file():
    assert word_splitter("spaces")("z. B.\tdon 't  &amp;") == ["z.", "B.", "don", "'t", "&amp;"]
    tokens = ["10\u00a0000", "\u202f", "a\u3000b", "c\u2028d", "e\x0cf"]
    line = " ".join(tokens)
    assert word_splitter("spaces")(f" {line}\t") == tokens
    assert word_splitter("white-space")(line) == "10 000 a b c d e f".split()


@pytest.mark.parametrize("line", LINES)
def test_punctuation_is_that_of_berts_basic_tokeniser(line):
    expected = basic_tokeniser()(line)
    assert word_splitter("punctuation")(line) == expected


def test_moses_takes_the_language_and_escapes_nothing():
    pytest.importorskip("sacremoses")
    german = word_splitter("moses", "de")
    assert german("Der Zug, z. B. & heute.") == "Der Zug , z. B. & heute .".split()
    assert word_splitter("moses", "en")("don't") == ["don", "'t"]


def test_moses_warns_of_a_language_that_it_does_not_know(monkeypatch):
    pytest.importorskip("sacremoses")
    warned = []
    monkeypatch.setattr(word_splitters, "warn", warned.append)
    check_splitter("moses", ["de", "deu"])
    assert ["Moses has no abbreviations of 'deu'" in line for line in warned] == [True]
    assert word_splitter("moses", "deu")("ja.") == ["ja", "."]


@pytest.mark.parametrize(
    "line, words, begins",
    [
        ("The house, however.", "The house , however .".split(), [0, 4, 9, 11, 18]),
        ("  a a\ta", ["a", "a", "a"], [2, 4, 6]),
        ("say ``so'' to so", ["say", '"', "so", '"', "to", "so"], [0, 6, 11, 14]),
        ("x and and y", ["z", "y"], []),  # what is far from its place is another word
        ("a d.\x01x\x00 b", "a d . x b".split(), [0, 2, 3, 5, 8]),  # Moses drops control characters
        ("a d.\x01x\x00 b", "a d.\x01x\x00 b".split(), [0, 2, 8]),
        ("", [], []),
    ],
)
def test_words_are_found_in_their_line(line, words, begins):
    assert word_begins(line, words).tolist() == begins
