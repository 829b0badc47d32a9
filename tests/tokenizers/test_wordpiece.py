"""WordPiece, against stored cases, transformers' BertTokenizer and the tokenizers package."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.subwords import find_tokenizer
from fairseq_amber.tokenizers.wordpiece import WordPiece, longest_matches
from fairseq_amber.tokenizers.wordpiece_files import (
    WordPieceSettings,
    parse_wordpiece,
)
from wordpiece_samples import NASTY, STORED, random_lines, vocabulary_of, write_folder

MONO = Path(os.environ.get("AMBER_DATA", ""), "mono")
SETTINGS = [
    WordPieceSettings(*values)
    for values in itertools.product((True, False), (None, True, False), (True, False))
]


def encoded(subwords: WordPiece, lines: list[str]) -> list[list[int]]:
    numbers, lengths = subwords.encode(lines)
    assert numbers.dtype == np.int32 and lengths.tolist() and lengths.sum() == len(numbers)
    return [row.tolist() for row in np.split(numbers, np.cumsum(lengths)[:-1])]


def wordpiece(pieces: list[str], settings: WordPieceSettings) -> WordPiece:
    return WordPiece(parse_wordpiece("\n".join(pieces).encode("utf-8"), settings.encode()))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_ids_are_those_of_transformers(pieces, settings: WordPieceSettings, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    folder = write_folder(tmp_path / "bert", pieces, settings)
    theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    ours = find_tokenizer(folder).load()
    lines = NASTY + random_lines(500)
    expected = theirs(lines, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    for _ in range(2):  # from the cache, too
        for line, ids, wanted in zip(lines, encoded(ours, lines), expected):
            assert ids == wanted, repr(line)
    known = [line for line in lines if "[" not in line]
    plain = theirs(known, add_special_tokens=False)["input_ids"]
    assert encoded(ours, known) == plain
    used = {i for ids in expected for i in ids}
    assert len(used) > 200 and pieces.index("[UNK]") in used


@pytest.mark.data
@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
@pytest.mark.parametrize("lower", [True, False], ids=["uncased", "cased"])
def test_ids_are_those_of_transformers_on_real_text(lower: bool, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    files = sorted(MONO.glob("*.txt"))
    assert len(files) >= 12
    texts = {path.stem: path.read_text(encoding="utf-8").split("\n")[:1000] for path in files}
    pieces = vocabulary_of([line for lines in texts.values() for line in lines[:300]], 8000)
    folder = write_folder(tmp_path / "bert", pieces, WordPieceSettings(lower))
    theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    ours = find_tokenizer(folder).load()
    for language, lines in texts.items():
        expected = theirs(lines, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert encoded(ours, lines) == expected, language


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_is_kept_of_earlier_strings_changes_nothing(pieces, settings, monkeypatch):
    lines = NASTY + random_lines(300, seed=1)
    ours = wordpiece(pieces, settings)
    whole = [ours._tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    assert encoded(ours, lines) == whole
    assert encoded(ours, lines) == whole
    monkeypatch.setattr("fairseq_amber.tokenizers.wordpiece._CACHED_STRINGS", 5)
    small = wordpiece(pieces, settings)
    assert encoded(small, lines) == whole and len(small._strings) <= 5


@pytest.mark.parametrize(
    "settings, text, expected",
    [
        ((True,), "Unbelievable résumé, don't", "un ##believ ##able re ##sume , don ' t"),
        ((False,), "Unbelievable résumé, don't", "Un ##believ ##able résu ##mé , don ' t"),
        ((False, True), "résumé É é", "re ##sume [UNK] [UNK]"),
        ((True, False), "Résumé RE\u0301 É éé", "résu ##mé [UNK] é é ##é"),
        ((True,), "中文a文", "中 文 a 文"),
        ((True, None, False), "中文 a文", "中文 [UNK]"),
        ((True,), "a\x00\u200ba\tb\xa0a\u2028a\x1ca", "[UNK] [UNK] a [UNK]"),
        ((True,), "[MASK] [SEP]", "[ mask ] [ [UNK] ]"),
        ((False,), "[MASK]", "[ MASK ]"),
        ((True,), "STRASSE Straße", "strasse straße"),
        ((True,), "İ", "i"),
        ((True, False), "İ", "i ##\u0307"),
        ((True,), "a" * 101 + " a", "[UNK] a"),
        ((True,), " \u0301 ", ""),
    ],
)
def test_stored_cases(settings, text: str, expected: str):
    pytest.importorskip("tokenizers")
    ours = wordpiece(STORED, WordPieceSettings(*settings))
    assert [STORED[i] for i in encoded(ours, [text])[0]] == expected.split()


def test_a_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match="pip install tokenizers"):
        wordpiece(STORED, WordPieceSettings(True))


def test_the_beginnings_of_words_that_are_unknown():
    """Without the piece abc, abcd would be ab ##cd."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ab", "abc", "##cd", "##c", "x"]
    subwords = wordpiece(pieces, WordPieceSettings(False))
    assert encoded(subwords, ["abcd ab", "abc"]) == [[1, 5], [6]]
    lines = ["abcd ab", "xab☃ ☃", "abc", "ab" * 51]
    assert subwords.beginnings_of_unknown(lines).tolist() == [6, 9]
    without = wordpiece([piece for piece in pieces if piece != "abc"], WordPieceSettings(False))
    assert encoded(without, ["abcd"]) == [[5, 6]]
    assert longest_matches("##cdc", {*pieces}) == (["##cd", "##c"], True)
