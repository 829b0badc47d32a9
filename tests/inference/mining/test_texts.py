import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.texts import (
    MiningSet,
    numbered,
    read_bucc,
    read_gold,
    read_plain,
)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_plain_lines_are_distinct_sentences_with_their_line_numbers(tmp_path):
    text = read_plain(write(tmp_path / "x", "ja\n\nnein\tdoch\nja\n \nwir\n"))
    assert list(text.sentences) == ["ja", "nein\tdoch", "wir"]
    assert text.rows.tolist() == [0, 2, 5] and text.lines == 6
    assert list(text.ids) == ["1", "3", "4", "6"]
    assert text.sentence_of.tolist() == [0, 1, 0, 2]
    assert text.first_ids() == ["1", "3", "6"]


def test_bucc_lines_keep_their_ids_and_what_follows_the_first_tab(tmp_path):
    text = read_bucc(write(tmp_path / "x", "de-7\tja\nde-3\tnein\tdoch\nde-5\tja\n"))
    assert list(text.sentences) == ["ja", "nein\tdoch"]
    assert text.rows.tolist() == [0, 1] and text.first_ids() == ["de-7", "de-3"]


def test_rows_stand_for_sentences_that_nobody_gave(tmp_path):
    text = numbered(tmp_path / "x.npy", 3)
    assert list(text.sentences) == text.first_ids() == ["1", "2", "3"]


def test_a_gold_pair_is_a_pair_of_texts_under_whichever_ids(tmp_path):
    source = read_bucc(write(tmp_path / "de", "a\tja\nb\tnein\nc\tja\n"))
    target = read_bucc(write(tmp_path / "en", "A\tno\nB\tyes\nC\tyes\n"))
    gold = read_gold(write(tmp_path / "gold", "a\tB\nc\tC\nb\tA\n"), source, target)
    assert gold.tolist() == [[0, 1], [1, 0]]
    digest = MiningSet(source, target, gold).digest()
    assert MiningSet(source, target, gold[::-1]).digest() == digest
    assert MiningSet(source, target, gold[:1]).digest() != digest
    assert MiningSet(target, source, gold).digest() != digest


@pytest.mark.parametrize(
    "content, message",
    [
        ("a\tja\nnein\n", "x:2: expected id<TAB>sentence, found 'nein'"),
        ("a\tja\n\tnein\n", "x:2: expected id<TAB>sentence"),
        ("a\tja\nb\t \n", "x:2: expected id<TAB>sentence"),
        ("a\tja\nb\tnein\na\tdoch\n", "x:3: the id a is that of line 1"),
        ("", "x is empty"),
    ],
)
def test_a_bad_line_is_named(content, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read_bucc(write(tmp_path / "x", content))


def test_blank_text_is_named(tmp_path):
    with pytest.raises(UserError, match="x is blank"):
        read_plain(write(tmp_path / "x", "\n \n"))


@pytest.mark.parametrize(
    "line, message",
    [
        ("a A", "gold:2: expected source id<TAB>target id"),
        ("a\tA\tA", "gold:2: expected"),
        ("b\tA", "gold:2: .*de has no id b"),
        ("a\ta", "gold:2: .*en has no id a"),
    ],
)
def test_a_bad_gold_line_is_named(line, message, tmp_path):
    source = read_bucc(write(tmp_path / "de", "a\tja\n"))
    target = read_bucc(write(tmp_path / "en", "A\tyes\n"))
    with pytest.raises(UserError, match=message):
        read_gold(write(tmp_path / "gold", f"a\tA\n{line}\n"), source, target)


def test_repeated_sentences_keep_the_row_of_their_first_line(tmp_path):
    lines = [f"s{i % 7}" for i in range(20)]
    text = read_plain(write(tmp_path / "x", "\n".join(lines) + "\n"))
    assert np.array_equal(text.rows, np.arange(7))
    assert [text.sentences[i] for i in text.sentence_of] == lines
