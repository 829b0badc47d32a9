"""The order of fairseq's dictionaries."""

from __future__ import annotations

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.fairseq_order import (
    MASK,
    SPECIALS,
    fairseq_order,
    fits_dictionary,
    parse_dictionary,
)
from fairseq_amber.tokenizers.wordpiece_files import parse_wordpiece
from wordpiece_samples import NAMES


def test_the_order_of_fairseq():
    lines = ["[PAD]", "[unused1]", "b", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##a"]
    tokens = {token: row for row, token in enumerate(lines)}
    order = fairseq_order(tokens, NAMES, 8, "v.txt")
    assert order.symbols == ["<s>", "<pad>", "</s>", "<unk>", "[unused1]", "b", "##a", "<mask>"]
    assert order.rows == [4, 0, 5, 3, 1, 2, 7, 6]
    assert order.listed == ["[unused1]", "b", "##a"]


def test_rows_without_a_token_keep_their_place():
    """Blank lines, the first of two equal ones, and what an embedding has beyond."""
    text = "\n".join([*NAMES, "a", "", "b", "a", "madeupword0001", "", ""])
    files = parse_wordpiece(text.encode())
    assert files.rows == 10 and files.tokens["a"] == 8
    order = fairseq_order(files.tokens, NAMES, 12, "v.txt")
    made = [f"madeupword000{i}" for i in (0, 2, 3, 4)]
    assert order.listed == [made[0], made[1], "b", "a", "madeupword0001", made[2], made[3]]
    assert order.rows == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 4]
    assert files.order.listed == order.listed[:-2]


@pytest.mark.parametrize(
    "lines, message",
    [
        (["[PAD]", "[UNK]", "[CLS]", "a"], r"v\.txt has no \[SEP\], \[MASK\], which this"),
        ([], r"v\.txt has no \[CLS\], "),
        ([*NAMES, "<mask>"], r"v\.txt lists '<mask>', which fairseq has another use for"),
    ],
)
def test_what_has_no_order_in_fairseq(lines: list[str], message: str):
    with pytest.raises(UserError, match=message):
        parse_wordpiece("\n".join(lines).encode(), source="v.txt").order  # noqa: B018


def test_a_dictionary_is_read_as_fairseq_reads_it(tmp_path):
    dictionary = pytest.importorskip("fairseq.data").Dictionary
    text = "a 7\nb 1\r\n<unk> 3 #fairseq:overwrite\nc d -1\n"
    (tmp_path / "dict.txt").write_bytes(text.encode())
    theirs = dictionary.load(str(tmp_path / "dict.txt"))
    indices, size = parse_dictionary(text.encode(), "d.txt")
    assert size == len(theirs) and indices == theirs.indices


@pytest.mark.parametrize(
    "data, message",
    [
        (b"a 1\nb\n", "d.txt:2: expected 'symbol count'"),
        (b"a 1\na 1\n", "d.txt:2: a is listed twice"),
        (b"\xff 1\n", "d.txt:1: not UTF-8"),
    ],
)
def test_what_is_no_dictionary_is_named_with_its_line(data, message):
    with pytest.raises(UserError, match=message):
        parse_dictionary(data, "d.txt")


def test_what_a_dictionary_cannot_hold_gets_another_name():
    tokens = {token: row for row, token in enumerate([*SPECIALS, "a\nb", "c", MASK])}
    order = fairseq_order(tokens, (*SPECIALS, MASK), 8, "v")
    assert order.listed == ["madeupword0000", "c", "madeupword0001"]
    assert fits_dictionary("c\x85 d") and not fits_dictionary("") and not fits_dictionary("\ud800")


def test_two_tokens_of_one_row_are_refused():
    tokens = {token: row for row, token in enumerate([*SPECIALS, "c", MASK])}
    with pytest.raises(UserError, match="v gives the number 4 both to 'c' and to 'd'"):
        fairseq_order({**tokens, "d": 4}, (*SPECIALS, MASK), 6, "v")
