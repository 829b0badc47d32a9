import numpy as np
import pytest

from fairseq_amber.data.layout import Specials
from fairseq_amber.data.whole_words import word_boundaries
from fairseq_amber.errors import UserError

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def words(pieces, vocabulary=()):
    """The words of a row of pieces, joined."""
    symbols = [*SPECIAL, *dict.fromkeys([*vocabulary, *(p for p in pieces if p not in SPECIAL)])]
    boundaries = word_boundaries([*symbols, "<mask>"], Specials(0, 2, 1, len(symbols)))
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
    assert words(row) == ["<s>", "▁unbelievable.", "▁Yes", "</s>"]


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
    assert words(["▁a", "##b", "c"], ["▁d", "▁e"]) == ["▁a##bc"]
    assert words(["a", "##", "##b"], ["##c"]) == ["a", "####b"]


def test_a_vocabulary_without_either_convention_is_refused():
    with pytest.raises(UserError, match="--whole-word-masking.*neither SentencePiece's"):
        word_boundaries([*SPECIAL, "w0", "w1", "##", "<mask>"], Specials(0, 2, 1, 7))


def test_a_mark_of_a_word_without_its_text_belongs_to_the_piece_that_follows():
    row = ["▁", "我", "们", "。", "▁", "▁so", "▁", "</s>"]
    assert words(row) == ["▁我", "们", "。", "▁", "▁so", "▁", "</s>"]


def test_wordpieces_do_not_tell_where_spaces_were():
    symbols = [*SPECIAL, "don", "'", "t", "##s", "<mask>"]
    with pytest.raises(UserError, match="links: a WordPiece vocabulary does not keep the spaces"):
        word_boundaries(symbols, Specials(0, 2, 1, 8), flag="links", split_unspaced=False)


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
    assert PointFinder(PointSettings(), boundaries).positions(ids).tolist() == list(range(3, 11))
    rows = np.tile([0, *ids, 2], (200, 1))
    masking = Masking(MaskingRates(), specials.mask, (4, specials.mask), boundaries)
    masked = mask_rows(rows, np.full(200, 4), masking, np.arange(200, dtype=np.uint64) << 32)
    predicted = np.zeros(rows.shape, dtype=bool)
    slots = np.zeros(masked.predicted.size, dtype=bool)
    slots[masked.slots] = True
    for row, (positions, real) in enumerate(
        zip(masked.predicted, slots.reshape(masked.predicted.shape))
    ):
        predicted[row, positions[real]] = True
    whole = predicted[:, 1:4]  # un ##believ ##able
    assert (whole.all(axis=1) == whole.any(axis=1)).all() and 20 < whole.all(axis=1).sum() < 180
