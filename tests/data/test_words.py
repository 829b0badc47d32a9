"""The words of token files, from tokens and from kept boundaries, against joined strings."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data import token_file
from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.kept_words import KeptWordFile, KeptWordWriter
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import WordFinder, check_kept, link_word_finder
from fairseq_amber.errors import UserError
from toy_corpora import write_binarised

SENTENCEPIECE = "<s> <pad> </s> <unk> ▁a ▁b c d . 我 ▁你 <mask>".split()
WORDPIECE = "<s> <pad> </s> <unk> a b ##c ##d . 我 你 <mask>".split()
SPECIALS = (0, 2, 1, 11)
UNSPACED = ("我", "你")


def finder(kind, symbols=SENTENCEPIECE):
    return WordFinder(kind, symbols, SPECIALS, flag="--flag")


@pytest.fixture
def sentences():
    rng = np.random.default_rng(3)
    drawn = [rng.integers(3, 11, rng.integers(0, 9)).tolist() for _ in range(40)]
    return [[], [4], *drawn]


@pytest.fixture
def file(tmp_path, sentences):
    write_binarised(tmp_path / "train", sentences)
    return TokenFile(tmp_path / "train")


@pytest.fixture
def keep(file, sentences):
    """Keeps random words beside the file: ``(kind) ->`` those of each sentence."""

    def write(kind, extra=0):
        rng = np.random.default_rng(4)
        kept = [np.append(rng.random(len(s)) < 0.5, True) for s in sentences]
        for own in kept:
            own[0] = True
        writer = KeptWordWriter(file.prefix, kind)
        writer.add(np.concatenate([*kept, np.ones(extra, dtype=bool)]))
        writer.finish()
        writer.close()
        return [own[:-1].tolist() for own in kept]

    return write


def slow_starts(sentence, symbols, kind):
    """By the letters: a mark, a script without spaces, and punctuation."""
    alone = (*UNSPACED, *("." if kind == "punctuation" else ""))
    starts, before = [], ""
    for token in sentence:
        piece = symbols[token]
        marked = piece.startswith("▁") if symbols is SENTENCEPIECE else "##" not in piece
        letters = piece.strip("▁#")
        starts.append(not starts or marked or letters in alone or before in alone)
        before = letters
    return starts


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize(
    "kind, symbols",
    [("spaces", SENTENCEPIECE), ("punctuation", SENTENCEPIECE), ("punctuation", WORDPIECE)],
)
def test_words_that_the_tokens_show(file, sentences, monkeypatch, kind, symbols, at_once):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", at_once)
    words = finder(kind, symbols).words(file)
    for index, sentence in enumerate(sentences):
        expected = slow_starts(sentence, symbols, kind)
        assert words.starts(index, np.array(sentence, dtype=int)).tolist() == expected
        assert words.counts()[index] == sum(expected)
    assert words.counts().dtype == np.int32


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize("kind, symbols", [("moses", SENTENCEPIECE), ("spaces", WORDPIECE)])
def test_words_that_are_kept(file, sentences, keep, monkeypatch, kind, symbols, at_once):
    """Pieces in scripts without spaces are words beside them."""
    monkeypatch.setattr(token_file, "_READ_TOGETHER", at_once)
    kept = keep(kind)
    words = pickle.loads(pickle.dumps(finder(kind, symbols).words(file)))
    for index, (sentence, own) in enumerate(zip(sentences, kept)):
        texts = [symbols[token].strip("▁#") for token in sentence]
        expected = [
            start or texts[at] in UNSPACED or (at > 0 and texts[at - 1] in UNSPACED)
            for at, start in enumerate(own)
        ]
        assert words.starts(index, np.array(sentence, dtype=int)).tolist() == expected
        half = np.array(sentence[: len(sentence) // 2], dtype=int)
        assert words.starts(index, half).tolist() == expected[: len(half)]
        assert words.counts()[index] == sum(expected)


def test_links_number_the_words_between_spaces_in_every_script(file, sentences, keep):
    shown = link_word_finder(SENTENCEPIECE, SPECIALS, "links").words(file)
    kept = keep("spaces")
    stored = link_word_finder(WORDPIECE, SPECIALS, "links").words(file)
    also_shown = link_word_finder(SENTENCEPIECE, SPECIALS, "links").words(file)
    for index, (sentence, own) in enumerate(zip(sentences, kept)):
        tokens = np.array(sentence, dtype=int)
        marks = [at == 0 or SENTENCEPIECE[t].startswith("▁") for at, t in enumerate(sentence)]
        assert shown.starts(index, tokens).tolist() == marks
        assert stored.starts(index, tokens).tolist() == own
        assert also_shown.starts(index, tokens).tolist() == own  # U+00A0 begins a piece, no word


@pytest.mark.parametrize("separated", [True, False])
def test_a_row_of_lines_has_the_words_of_its_lines(file, sentences, keep, separated):
    kept = keep("moses")
    words = WordFinder("moses", WORDPIECE, SPECIALS, flag="", split_unspaced=False).words(file)
    rows = BlockCorpus("de", file, 20, separated=separated, words=words)
    lines = [i for i, sentence in enumerate(sentences) if sentence]
    for index in range(len(rows)):
        row = rows[index]
        own = lines[: len(rows.line_starts(index))]
        del lines[: len(own)]
        expected = [start for i in own for start in [*kept[i], *[True] * separated]]
        assert rows.word_starts(index, row).tolist() == expected[: len(row)]
        assert rows.word_starts(index, row[:3]).tolist() == expected[:3]
    assert not lines and len(rows) > 5


@pytest.mark.parametrize("kind, symbols", [("moses", SENTENCEPIECE), ("spaces", WORDPIECE)])
def test_words_that_are_not_kept_name_the_folder_and_the_command(file, keep, kind, symbols):
    command = f"`fairseq-amber prepare RAW DATA_BIN --word-boundaries {kind}`"
    with pytest.raises(UserError) as error:
        finder(kind, symbols).words(file)
    assert f"{file.prefix.parent} has no train.words" in str(error.value)
    assert command in str(error.value)
    keep({"moses": "spaces", "spaces": "moses"}[kind])
    with pytest.raises(
        UserError, match=f"--flag: .*train.words has the words of .*, not of {kind}"
    ):
        finder(kind, symbols).words(file)
    keep(kind, extra=1)
    with pytest.raises(UserError, match="train.words is of another text than .*train.bin"):
        finder(kind, symbols).words(file)


def test_words_of_the_same_lines_in_another_order_are_refused(file, sentences, keep):
    keep("moses")
    write_binarised(file.prefix, sentences[::-1])
    with pytest.raises(UserError, match="train.words is of another text than .*train.bin"):
        finder("moses").words(TokenFile(file.prefix))


def test_a_vocabulary_that_marks_no_words_is_refused():
    with pytest.raises(UserError, match="--flag: dict.txt has neither"):
        finder("punctuation", [*SENTENCEPIECE[:4], "a", "b", "<mask>"])


def test_words_are_checked_to_the_end_or_so_far_as_asked(file, keep, monkeypatch):
    monkeypatch.setattr(token_file, "_READ_TOGETHER", 2)
    keep("moses")
    check_kept(file, KeptWordFile(file.prefix))
    path = Path(f"{file.prefix}.words")
    content = bytearray(path.read_bytes())
    last = KeptWordFile(file.prefix).tokens - 1  # the last </s>
    content[40 + last // 8] ^= 128 >> last % 8
    path.write_bytes(content)
    check_kept(file, KeptWordFile(file.prefix), most=1)
    with pytest.raises(UserError, match="train.words is of another text than .*train.bin"):
        check_kept(file, KeptWordFile(file.prefix))
