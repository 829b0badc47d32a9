import os
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.word_alignment import (
    Links,
    alignment_score,
    format_pharaoh,
    parse_pharaoh,
    read_pharaoh,
)


def test_parses_sure_and_possible_links():
    links = parse_pharaoh("0-0 2p1 10-3\n")
    assert links.sure == {(0, 0), (10, 3)}
    assert links.possible == {(0, 0), (10, 3), (2, 1)}
    assert parse_pharaoh("  ") == Links(frozenset(), frozenset())
    assert parse_pharaoh("1-1 2p3", one_based=True).possible == {(0, 0), (1, 2)}


def test_formats_what_it_parses():
    assert format_pharaoh({(10, 0), (2, 1), (2, 0)}) == "2-0 2-1 10-0"
    assert parse_pharaoh(format_pharaoh([(3, 4)])).sure == {(3, 4)}


@pytest.mark.parametrize("entry", ["0", "0-", "-1-0", "0-0-0", "0:1", "a-b", "0.5-1", "²-1"])
def test_an_entry_that_is_no_link_is_refused_with_file_and_line(entry, tmp_path):
    path = tmp_path / "x.align"
    path.write_text(f"0-0\n\n0-1 {entry}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"x\.align:3: .*no link"):
        read_pharaoh(path)


def test_zero_in_a_one_based_file_is_refused():
    with pytest.raises(UserError, match="counts from 0"):
        parse_pharaoh("0-1", one_based=True)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing.align"):
        read_pharaoh(tmp_path / "missing.align")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="no text"):
        read_pharaoh(tmp_path / "picture.png")


def test_score_by_hand():
    gold = [parse_pharaoh("0-0 1-1 2p2"), parse_pharaoh("0-1")]
    predicted = [{(0, 0), (2, 2), (3, 3)}, {(0, 0)}]
    score = alignment_score(predicted, gold)
    # |A| = 4, |S| = 3, |A & S| = 1, |A & P| = 2
    assert score.precision == pytest.approx(50)
    assert score.recall == pytest.approx(100 / 3)
    assert score.aer == pytest.approx(100 * (1 - 3 / 7))
    assert score.n == 2


def test_score_at_its_ends():
    gold = [parse_pharaoh("0-0 1p1")]
    assert alignment_score([{(0, 0)}], gold).aer == 0
    assert alignment_score([{(0, 0), (1, 1)}], gold).aer == 0
    nothing = alignment_score([set()], gold)
    assert (nothing.precision, nothing.recall, nothing.aer) == (0, 0, 100)


def test_score_refuses_unequal_lengths_and_gold_without_sure_links():
    with pytest.raises(ValueError, match="2 predicted"):
        alignment_score([set(), set()], [parse_pharaoh("0-0")])
    with pytest.raises(ValueError, match="no sure link"):
        alignment_score([set()], [parse_pharaoh("0p0")])


EXAMPLES = Path(os.environ.get("AMBER_DATA", "")) / "align_gold" / "awesome-align-examples"


@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
@pytest.mark.parametrize(
    "pair, aer", [("en-fr", 4.07), ("ro-en", 20.75), ("zh-en", 13.31), ("ja-en", 37.34)]
)
def test_published_outputs_have_their_published_scores(pair, aer):
    gold = read_pharaoh(EXAMPLES / f"test.{pair}.gold")
    lines = read_pharaoh(EXAMPLES / f"test.{pair}.awesome-align.out")
    predicted = [line.sure for line in lines]
    assert round(alignment_score(predicted, gold).aer, 2) == aer
    swapped = [{(j, i) for i, j in links} for links in predicted]
    assert alignment_score(swapped, gold).aer > aer + 20
