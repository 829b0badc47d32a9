from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment import word_splitters
from fairseq_amber.inference.word_alignment.word_splitters import word_splitter

FLAG = "--source-language"


def test_white_space_keeps_the_tokens_of_a_file():
    split = word_splitter("whitespace", Path("any"), flag=FLAG)
    assert split("z. B.\tdon 't  &amp;") == ["z.", "B.", "don", "'t", "&amp;"]


def test_moses_takes_the_language_of_the_files_name_and_escapes_nothing():
    pytest.importorskip("sacremoses")
    german = word_splitter("moses", Path("test.de-en.de"), flag=FLAG)
    assert german("Der Zug, z. B. & heute.") == "Der Zug , z. B. & heute .".split()
    given = word_splitter("moses", Path("other.txt"), "en", flag=FLAG)
    assert given("don't") == ["don", "'t"]


def test_moses_needs_a_language_that_it_knows(monkeypatch):
    pytest.importorskip("sacremoses")
    with pytest.raises(UserError, match="give its language with --source-language"):
        word_splitter("moses", Path("other.txt"), flag=FLAG)
    warned = []
    monkeypatch.setattr(word_splitters, "warn", warned.append)
    assert word_splitter("moses", Path("other.txt"), "deu", flag=FLAG)("ja.") == ["ja", "."]
    assert ["Moses has no abbreviations of 'deu'" in line for line in warned] == [True]
