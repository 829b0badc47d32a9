"""Words of vocabularies, and of text against BERT's own tokeniser."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.layout import Specials
from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.word_boundaries import unspaced_boundaries, word_boundaries
from learnt_tokenizers import basic_tokeniser, sentencepiece_of, slow_starts, wordpiece_of

REAL = Path(os.environ.get("AMBER_DATA", ""), "mono")
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def words(pieces, vocabulary=(), kind="punctuation"):
    """The words of a row of pieces, joined."""
    symbols = [*SPECIAL, *dict.fromkeys([*vocabulary, *(p for p in pieces if p not in SPECIAL)])]
    specials = Specials(0, 2, 1, len(symbols))
    boundaries = word_boundaries([*symbols, "<mask>"], specials, kind)
    starts = boundaries.starts(np.array([symbols.index(piece) for piece in pieces]))
    out = []
    for piece, start in zip(pieces, starts):
        if start:
            out.append(piece)
        else:
            out[-1] += piece
    return out


def test_sentencepiece_marks_the_pieces_that_begin_a_word():
    row = ["<s>", "▁un", "believ", "able", ".", "▁Yes", "</s>"]
    assert words(row, kind="spaces") == ["<s>", "▁unbelievable.", "▁Yes", "</s>"]
    assert words(row) == ["<s>", "▁unbelievable", ".", "▁Yes", "</s>"]


def test_wordpiece_marks_the_pieces_that_continue_one():
    row = ["<s>", "un", "##believ", "##able", ".", "Yes", "</s>"]
    assert words(row) == ["<s>", "un##believ##able", ".", "Yes", "</s>"]


def test_no_word_goes_on_into_the_second_sentence():
    row = ["<s>", "▁so", "lo", "</s>", "lo", "▁so", "</s>"]
    assert words(row) == ["<s>", "▁solo", "</s>", "lo", "▁so", "</s>"]


def test_without_spaces_each_piece_is_a_word_and_other_scripts_are_not_joined_to_it():
    assert words(["▁我们", "的", "iP", "hone", "手机", "。"], ["▁a"]) == [
        *["▁我们", "的", "iPhone", "手机", "。"]
    ]
    assert words(["▁", "สวัส", "ดี"]) == ["▁สวัส", "ดี"]
    assert words(["▁これは", "テスト", "です"]) == ["▁これは", "テスト", "です"]
    assert words(["今", "##日", "word", "##s"]) == ["今", "##日", "word##s"]
    assert words(["▁안녕", "하세요"]) == ["▁안녕하세요"]  # Korean has spaces


def test_an_unknown_piece_is_part_of_the_word_it_is_in():
    assert words(["▁na", "<unk>", "ve", "▁x"]) == ["▁na<unk>ve", "▁x"]
    assert words(["[UNK]", "x", "##y"]) == ["[UNK]", "x##y"]


def test_the_commoner_convention_holds_and_odd_symbols_do_not_confuse_it():
    assert words(["▁a", "##b", "c"], ["▁d", "▁e"], kind="spaces") == ["▁a##bc"]
    assert words(["a", "##", "##b"], ["##c"]) == ["a", "##", "##b"]  # a piece of text, then one


def test_a_vocabulary_without_either_convention_is_refused():
    with pytest.raises(UserError, match="--whole-word-masking.*neither SentencePiece's"):
        word_boundaries([*SPECIAL, "w0", "w1", "##", "<mask>"], Specials(0, 2, 1, 7))


def test_a_mark_of_a_word_without_its_text_belongs_to_the_piece_that_follows():
    row = ["▁", "我", "们", "。", "▁", "▁so", "▁", "</s>"]
    assert words(row) == ["▁我", "们", "。", "▁", "▁so", "▁", "</s>"]


def test_wordpieces_do_not_tell_where_spaces_were():
    symbols = [*SPECIAL, "don", "'", "t", "##s", "<mask>"]
    with pytest.raises(ValueError, match="these pieces do not show the words of spaces"):
        word_boundaries(symbols, Specials(0, 2, 1, 8), "spaces")


def test_masking_and_points_take_the_words_of_encoded_wordpiece_text():
    """From text to words: what is masked as one, and the last subword that stands for it."""
    pytest.importorskip("tokenizers")
    from fairseq_amber.data.alignment.masking import Masking, MaskingRates, mask_rows
    from fairseq_amber.data.alignment.needs import PointSettings
    from fairseq_amber.data.alignment.points import PointFinder
    from fairseq_amber.tokenizers.wordpiece import WordPiece
    from fairseq_amber.tokenizers.wordpiece_files import parse_wordpiece

    vocabulary = "[PAD] [unused1] [UNK] [CLS] [SEP] [MASK] un ##believ ##able don ' t 木 .".split()
    subwords = WordPiece(parse_wordpiece("\n".join(vocabulary).encode("utf-8")))
    symbols = subwords.order.symbols
    numbers, _ = subwords.encode(["Unbelievable, don't 木木."])
    ids = np.array([subwords.order.rows.index(number) for number in numbers])
    text = "un ##believ ##able <unk> don ' t 木 木 .".split()
    assert [symbols[i] for i in ids] == text
    specials = Specials(0, 2, 1, len(symbols) - 1)
    boundaries = word_boundaries(symbols, specials)
    starts = boundaries.starts(ids)
    points = PointFinder(PointSettings()).positions(ids, starts)
    assert points.tolist() == list(range(3, 11))
    rows = np.tile([0, *ids, 2], (200, 1))
    masking = Masking(MaskingRates(), specials.mask, (4, specials.mask), words=True)
    keys = np.arange(200, dtype=np.uint64) << 32
    masked = mask_rows(rows, np.full(200, 4), masking, keys, boundaries.starts(rows))
    predicted = np.zeros(rows.shape, dtype=bool)
    slots = np.zeros(masked.predicted.size, dtype=bool)
    slots[masked.slots] = True
    for row, (positions, real) in enumerate(
        zip(masked.predicted, slots.reshape(masked.predicted.shape))
    ):
        predicted[row, positions[real]] = True
    whole = predicted[:, 1:4]  # un ##believ ##able
    assert (whole.all(axis=1) == whole.any(axis=1)).all() and 20 < whole.all(axis=1).sum() < 180


@pytest.mark.parametrize(
    "row",
    [
        "▁The ▁house , ▁how ever , ▁burn s .",
        "the house , how ##ever , burn ##s .",
    ],
)
def test_words_end_before_punctuation(row):
    found = words(row.split(), ["▁x"] if "▁" in row else ["##x"])
    plain = [word.replace("▁", "").replace("##", "").lower() for word in found]
    assert plain == ["the", "house", ",", "however", ",", "burns", "."]


def test_a_piece_with_punctuation_in_it_is_not_split_and_the_word_behind_it_begins():
    assert words(["▁d'un", "e", "▁(so", "lo", ")...", "▁«", "x"]) == [
        *["▁d'un", "e", "▁(so", "lo", ")...", "▁«", "x"]
    ]
    assert words(["▁a", "<0xE2>", "<0x80>", "<unk>", "b"]) == ["▁a<0xE2><0x80><unk>b"]
    assert words(["▁", ".", "▁$", "5"]) == ["▁.", "▁$", "5"]


def test_added_words_of_scripts_without_spaces():
    symbols = [*SPECIAL, "▁", "▁我", "们", "▁a", "b", "。", "<mask>"]
    tables = unspaced_boundaries(symbols)
    starts = tables.starts(np.array([4, 6, 6, 8, 7, 8, 9, 4, 9]))  # ▁ 们 们 b ▁a b 。 ▁ 。
    assert starts.tolist() == [True, False, True, True, False, False, True, True, False]


LINES = [
    'The house, however, burns. "Why?" she asked (twice)... It costs $5 + 3%; don\'t you?',
    "Der Baum, z. B. im Garten, wächst — langsam. »Gut«, sagt er; wie geht's? Baum-Haus!",
    "我们在北京。他说：“好的”，我们走了。他们在北京说好。",
] * 3


@pytest.mark.parametrize("kind", ["sentencepiece", "wordpiece"])
def test_words_are_those_of_berts_basic_tokeniser_at_the_pieces(kind):
    learn = {"sentencepiece": sentencepiece_of, "wordpiece": wordpiece_of}[kind]
    subwords = learn(LINES, {"sentencepiece": 190, "wordpiece": 110}[kind])
    symbols = [piece or "<unk>" for piece in subwords.pieces]
    numbers, lengths, offsets = subwords.encode_with_offsets(LINES)
    tokenise = basic_tokeniser()
    expected = slow_starts(LINES, tokenise, lengths, offsets)
    tables = word_boundaries(symbols, [])
    rows = np.split(numbers, np.cumsum(lengths)[:-1])
    found = np.concatenate([tables.starts(row) for row in rows])
    assert found.tolist() == expected.tolist()
    assert 0.2 < expected.mean() < 0.9


@pytest.mark.data
@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
def test_words_are_berts_in_real_text():
    """At all pieces of a vocabulary of SentencePiece, but for scripts without spaces."""
    tokenise = basic_tokeniser()
    lines = []
    for language in ("en", "de", "fr", "ru", "ar", "tr"):
        with open(REAL / f"{language}.txt", encoding="utf-8") as file:
            lines += [line.strip() for line in islice(file, 300)]
    subwords = sentencepiece_of(lines, 2000)
    numbers, lengths, offsets = subwords.encode_with_offsets(lines)
    expected = slow_starts(lines, tokenise, lengths, offsets)
    tables = word_boundaries([piece or "<unk>" for piece in subwords.pieces], [])
    rows = np.split(numbers, np.cumsum(lengths)[:-1])
    found = np.concatenate([tables.starts(row) for row in rows])
    assert (found == expected).mean() > 0.9999
