"""The pieces that begin words, against a search character by character."""

import os
from itertools import islice
from pathlib import Path

import pytest

from fairseq_amber.tokenizers.word_splitters import word_splitter
from fairseq_amber.tokenizers.word_starts import WordStarts
from learnt_tokenizers import sentencepiece_of, slow_starts, wordpiece_of
from wordpiece_samples import NASTY

LINES = [
    'The well-known house, however, burns. "Why?" she asked (twice)... $5 + 3%; don\'t!',
    "Der Baum, z. B. im Garten, wächst — langsam.  »Gut«, sagt er; wie geht's?",
    "we read of ½ ﬁre and … ∑ ☃ in a\tbook at 10\u00a0km",
    "",
    "  spaces  ",
    "我们在北京。他说：“好的”，OK",
]
REAL = Path(os.environ.get("AMBER_DATA", ""), "mono")


@pytest.fixture(scope="module", params=[sentencepiece_of, wordpiece_of])
def subwords(request):
    """Of which some characters of the lines are not known."""
    return request.param([line for line in LINES if "☃" not in line] * 3, 170)


@pytest.mark.parametrize("kind", ["spaces", "punctuation", "moses"])
def test_the_pieces_that_begin_words_are_found_in_every_line(subwords, kind):
    if kind == "moses":
        pytest.importorskip("sacremoses")
    split = word_splitter(kind, "en")
    numbers, lengths, starts = WordStarts(subwords).encode(LINES, split)
    plain, sizes = subwords.encode(LINES)
    assert numbers.tolist() == plain.tolist() and lengths.tolist() == sizes.tolist()
    placed = subwords.encode_with_offsets(LINES)
    assert starts.tolist() == slow_starts(LINES, split, placed.lengths, placed.offsets).tolist()
    assert not starts.all()


def test_few_lines_are_placed(subwords, monkeypatch):
    asked, original = [], subwords.encode_with_offsets
    seen = lambda _, lines: asked.extend(lines) or original(lines)  # noqa: E731
    monkeypatch.setattr(type(subwords), "encode_with_offsets", seen)
    WordStarts(subwords).encode(LINES[:1] + LINES[3:5], str.split)
    assert asked == []
    WordStarts(subwords).encode(LINES, str.split)
    assert LINES[2] in asked and LINES[0] not in asked


def test_hard_strings_keep_their_pieces(subwords):
    lines = [line for line in NASTY if len(line) < 300]
    numbers, lengths, starts = WordStarts(subwords).encode(lines, str.split)
    plain, sizes = subwords.encode(lines)
    assert numbers.tolist() == plain.tolist() and lengths.tolist() == sizes.tolist()
    assert starts.shape == numbers.shape


def test_no_lines(subwords):
    numbers, lengths, starts = WordStarts(subwords).encode([], str.split)
    assert len(numbers) == len(lengths) == len(starts) == 0


@pytest.mark.data
@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
@pytest.mark.parametrize("language", ["en", "de", "ru", "zh"])
def test_moses_words_of_real_text(language):
    pytest.importorskip("sacremoses")
    with open(REAL / f"{language}.txt", encoding="utf-8") as file:
        lines = [line.strip() for line in islice(file, 150)]
    split = word_splitter("moses", language)
    for subwords in (sentencepiece_of(lines, 1500), wordpiece_of(lines, 1500)):
        _, _, starts = WordStarts(subwords).encode(lines, split)
        placed = subwords.encode_with_offsets(lines)
        expected = slow_starts(lines, split, placed.lengths, placed.offsets)
        assert (starts == expected).mean() > 0.999
