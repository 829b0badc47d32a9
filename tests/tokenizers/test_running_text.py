"""Words of scripts without spaces, cut as in running text, as SentencePiece itself cuts it."""

import os
from collections import Counter
from operator import and_, or_
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.tokenizer import Tokenizer
from fairseq_amber.tokenizers.running_text import RunningText
from learnt_tokenizers import sentencepiece_of, wordpiece_of

LINES = ["父は室町幕府の第2代将軍", "母は紀良子", "第2代は義詮", "幕府と将軍の父と母", "ein Haus"]
LINES += ["NATO", "父は Haus の 2 代", "将軍と NATO", "Haus am See", "代々の 第 将軍"]


class Numbers:
    """The part of fairseq's Dictionary that is read."""

    def __init__(self, symbols):
        self.symbols = ["<unk>", *symbols]
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols)}

    def unk(self):
        return 0

    def index(self, symbol):
        return self._ids.get(symbol, 0)


@pytest.fixture(scope="module")
def subwords():
    return sentencepiece_of(LINES * 20, 60)


def written(subwords, sentence, numbers=None):
    """The pieces of each word of a sentence."""
    numbers = numbers or Numbers(subwords.listed)
    [encoded] = Tokenizer(subwords, numbers).encode_words([sentence.split()], as_written=True)
    pieces = [[] for _ in sentence.split()]
    for word, i in zip(encoded.words, encoded.ids):
        pieces[word].append(numbers.symbols[i])
    return pieces


def test_words_without_spaces_are_cut_as_in_running_text(subwords):
    for sentence in ("父 は 室町 幕府 の 第 2 代 将軍", "母 は 義詮 、 父 は 紀 良子"):
        ids, _ = subwords.encode([sentence.replace(" ", "")])
        running = [subwords.pieces[i] for i in ids if subwords.pieces[i]]
        pieces = sum(written(subwords, sentence), [])
        text = "".join(pieces).replace("<unk>", "")
        assert text == "".join(running), "one sign for a space, in front of the sentence"
        assert text.count("▁") == 1


def test_words_of_other_scripts_keep_their_spaces(subwords):
    numbers = Numbers(subwords.listed)
    tokenizer = Tokenizer(subwords, numbers)
    words = ["ein", "Haus", "am", "See", "NATO"]
    [alone], [as_written] = tokenizer.encode_words([words]), tokenizer.encode_words([words], True)
    np.testing.assert_array_equal(alone.ids, as_written.ids)
    np.testing.assert_array_equal(alone.words, as_written.words)


def test_a_word_beside_one_without_spaces_has_none_either(subwords):
    words = "Haus 父 NATO Haus 、 Haus".split()
    marked = [p[0].startswith("▁") or p == ["<unk>"] for p in written(subwords, " ".join(words))]
    assert marked[:4] == [True, False, False, True]


def test_a_marked_piece_becomes_the_piece_without_the_mark():
    class Cut:
        pieces = ["▁", "▁第", "第", "▁大", "2", None]

    words = RunningText(Cut.pieces, numbers := Numbers(["▁", "▁第", "第", "▁大", "2"]))
    ids = [numbers.index(p) for p in ("▁第", "▁第", "▁大", "▁")]
    rows = [np.array([i]) for i in ids] + [np.array([1, 5]), np.zeros(0, np.int64)]
    found = words(["第", "第", "大", "、", "第", "第"], rows)
    symbols = [[numbers.symbols[i] for i in row] for row in found]
    # 大 alone is no piece, and a word that is a sign for a space alone keeps it.
    assert symbols == [["▁第"], ["第"], ["▁大"], ["▁"], ["2"], []]


def test_an_unknown_sign_for_a_space_is_left_as_it_is():
    words = RunningText(["▁", "第"], Numbers(["第"]))  # a dictionary without the sign
    found = words(["第", "第"], [np.array([0, 1]), np.array([0, 1])])
    assert [row.tolist() for row in found] == [[0, 1], [0, 1]]


def test_wordpiece_has_no_sign_for_a_space():
    tokenizer = wordpiece_of(LINES, 60)
    with pytest.raises(UserError, match="this vocabulary is WordPiece's"):
        RunningText(tokenizer.pieces, Numbers(filter(None, tokenizer.pieces)))


@pytest.mark.skipif(
    not (os.environ.get("AMBER_PRETRAINED") and os.environ.get("AMBER_DATA")),
    reason="AMBER_PRETRAINED names no folder of multilingual-e5-small, or AMBER_DATA no sets",
)
@pytest.mark.parametrize("pair, language", [("ja-en", "ja"), ("zh-en", "zh")])
def test_a_real_encoder_reads_most_pieces_as_in_running_text(pair, language):
    from fairseq_amber.tokenizers.subwords import find_tokenizer

    subwords = find_tokenizer(Path(os.environ["AMBER_PRETRAINED"])).load()
    numbers = Numbers(subwords.listed)
    tokenizer = Tokenizer(subwords, numbers)
    gold = Path(os.environ["AMBER_DATA"], "align_gold", "awesome-align-examples")
    lines = (gold / f"test.{pair}.{language}").read_text(encoding="utf-8").splitlines()[:100]
    running = tokenizer.encode([line.replace(" ", "") for line in lines])
    words = [line.split(" ") for line in lines]
    shares = []
    for as_written in (False, True):
        encoded = tokenizer.encode_words(words, as_written)
        pairs = [(Counter(a.ids.tolist()), Counter(b.tolist())) for a, b in zip(encoded, running)]
        same, all_pieces = (sum(sum(f(a, b).values()) for a, b in pairs) for f in (and_, or_))
        shares.append(same / all_pieces)
    assert shares[1] > 0.65 > 0.45 > shares[0], shares
