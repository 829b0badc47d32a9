import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.link_files import (
    format_pharaoh,
    parse_pharaoh,
    read_alignments,
)
from fairseq_amber.metrics.word_alignment import Links


def test_parses_sure_and_possible_links():
    links = parse_pharaoh("0-0 2p1 10-3\n")
    assert links.sure == {(0, 0), (10, 3)}
    assert links.possible == {(0, 0), (10, 3), (2, 1)}
    assert parse_pharaoh("  ") == Links(frozenset(), frozenset())
    assert parse_pharaoh("1-1 2p3", one_based=True).possible == {(0, 0), (1, 2)}


def test_parses_what_talp_and_others_write():
    links = parse_pharaoh("1s1 2-3:0.7 3p1:0.2:x 4?2 0-5 5p0", one_based=True)
    assert links.sure == {(0, 0), (1, 2)}
    assert links.possible == {(0, 0), (1, 2), (2, 0), (3, 1)}  # and none to no word


@pytest.mark.parametrize(
    "entry, sure",
    [
        *(("3-4:P", False), ("3-4:p", False), ("3-4P", False), ("3-4?", False), ("3P4", False)),
        *(("3-4:S", True), ("3S4", True), ("3-4:0.5:P", False), ("3-4:-1.5e-3", True)),
        *(("3p4:0.5", False), ("3-4-.812-.9", True), ("3-4 ||| -12.5", True)),
    ],
)
def test_a_mark_or_a_score_may_stand_behind_a_link(entry, sure):
    links = parse_pharaoh(entry)
    assert links.possible == {(3, 4)} and bool(links.sure) == sure


@pytest.mark.parametrize("first", [0, 1])
def test_lines_may_begin_with_their_numbers(first, tmp_path):
    path = tmp_path / "simalign.inter"
    path.write_text(f"{first}\t0-0 1p1\n{first + 1}\t\n{first + 2}\t2-2\n")
    found = read_alignments(path)
    assert found.complete and [pair.possible for pair in found.pairs] == [
        {(0, 0), (1, 1)},
        set(),
        {(2, 2)},
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("1\t0-0\n3\t0-0\n", "x.gold:2: the line begins with 3, but numbers of sentence pairs"),
        ("1\t0-0\n0-0\n", "x.gold:2: the line has no number, but"),
        ("7\t0-0\n", "x.gold:1: the line begins with 7, but"),
        ("# Sentence pair (1) source length 1 target length 1 alignment score : 1\n", "Giza's"),
        ("1 1 1\n99999999 1 1\n", "x.gold:2: .* 99999999 cannot be the number of a sentence"),
        ("0-0:X\n", "x.gold:1: '0-0:X' is not a link"),
        ("9999999999-1\n", "x.gold:1: '9999999999-1' is not a link"),
        ("0-0 ||| a b\n", r"x.gold:1: '\|\|\|' is not a link"),
    ],
)
def test_what_other_aligners_write_is_read_or_refused(text, message, tmp_path):
    path = tmp_path / "x.gold"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_alignments(path)


def test_formats_what_it_parses():
    assert format_pharaoh({(10, 0), (2, 1), (2, 0)}) == "2-0 2-1 10-0"
    assert parse_pharaoh(format_pharaoh([(3, 4)])).sure == {(3, 4)}


@pytest.mark.parametrize("entry", ["0", "0-", "-1-0", "0-0-0", "0:1", "a-b", "0.5-1", "²-1"])
def test_an_entry_that_is_no_link_is_refused_with_file_and_line(entry, tmp_path):
    path = tmp_path / "x.align"
    path.write_text(f"0-0\n\n0-1 {entry}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"x\.align:3: .*not a link"):
        read_alignments(path)


def test_a_file_said_to_count_from_one_that_counts_from_zero_is_refused():
    with pytest.raises(UserError, match="counts from 0"):
        parse_pharaoh("0-0", one_based=True)


def test_reads_naacl_with_padded_numbers_gaps_and_confidences(tmp_path):
    path = tmp_path / "test.wa"
    path.write_text("0001 1 1 S\n0001 2 3 P 0.5\n\n 3  1 2\n3 0 4 S\n0003 4 0 P\n0004 0 1 P\n")
    pairs, complete = read_alignments(path)
    nothing = Links(frozenset(), frozenset())
    assert not complete
    assert pairs == [
        Links(frozenset({(0, 0)}), frozenset({(0, 0), (1, 2)})),
        nothing,
        Links(frozenset({(0, 1)}), frozenset({(0, 1)})),
        nothing,
    ]
    path.write_text("\n0-0\n")
    assert read_alignments(path) == ([nothing, parse_pharaoh("0-0")], True)


@pytest.mark.parametrize(
    "line, message",
    [
        ("1 2", "expected PAIR SOURCE TARGET"),
        ("1 1 1 X", "expected PAIR SOURCE TARGET"),
        ("1-1", "expected PAIR SOURCE TARGET"),
        ("0 1 1", "counts sentence pairs from 1"),
        ("1 0 0 S", "counts from 0"),
    ],
)
def test_a_line_that_is_not_naacl_is_refused_with_file_and_line(line, message, tmp_path):
    path = tmp_path / "test.wa"
    path.write_text(f"1 1 1 S\n{line}\n")
    with pytest.raises(UserError, match=rf"test\.wa:2: .*{message}"):
        read_alignments(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing.align"):
        read_alignments(tmp_path / "missing.align")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_alignments(tmp_path / "picture.png")
