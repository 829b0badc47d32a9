from pathlib import Path

import pytest

from fairseq_amber.inference.word_alignment import link_checks
from fairseq_amber.inference.word_alignment.link_checks import (
    CountsFromOne,
    warn_of_links_outside,
    warn_of_misfit,
)
from fairseq_amber.metrics.word_alignment import Links, alignment_score

FILES = Path("p.align"), Path("g.gold")
LINKS = [{(0, 0), (1, 2), (2, 3), (3, 1)}, {(0, 1), (1, 2), (2, 0)}]


@pytest.fixture
def warned(monkeypatch):
    """The warnings so far."""
    lines: list = []
    monkeypatch.setattr(link_checks, "warn", lines.append)
    return lines


def moved(links, shift, swap=False):
    pairs = [{(j, i) if swap else (i, j) for i, j in line} for line in links]
    return [{(i + shift, j + shift) for i, j in line} for line in pairs]


def gold_of(links):
    return [Links(frozenset(line), frozenset(line)) for line in links]


GIVE_GOLD = "if g.gold counts from 1, give --one-based"
GIVE_PREDICTED = "if p.align counts from 1, give --one-based-predicted"
LEAVE_GOLD = "if g.gold counts from 0, leave --one-based out"
LEAVE_PREDICTED = "if p.align counts from 0, leave --one-based-predicted out"


@pytest.mark.parametrize(
    "predicted, gold, from_one, remedies",
    [
        (LINKS, moved(LINKS, 1), (False, False), {GIVE_GOLD}),
        (moved(LINKS, 1), LINKS, (False, False), {GIVE_PREDICTED}),
        (moved(LINKS, 1), LINKS, (False, True), {GIVE_PREDICTED, LEAVE_GOLD}),
        (LINKS, moved(LINKS, 1), (True, False), {GIVE_GOLD, LEAVE_PREDICTED}),
        (LINKS, moved(LINKS, 1), (True, True), {LEAVE_PREDICTED}),
        (moved(LINKS, 1, swap=True), LINKS, (False, False), {GIVE_PREDICTED, "source index"}),
        (moved(LINKS, 1), moved(LINKS, 1), (False, False), None),
        # 0-0 shows that neither counts from 1, however well the other reading fits
        (LINKS, [{(0, 0), *line} for line in moved(LINKS, 1)], (False, False), None),
        ([{(1, 1)}, set()], [{(0, 0)}, set()], (False, False), None),  # one link shows no shift
    ],
)
def test_a_shift_by_one_is_said_with_the_flag_of_its_file(
    predicted, gold, from_one, remedies, warned
):
    gold = gold_of(gold)
    aer = alignment_score(predicted, gold).aer
    warn_of_misfit(FILES, predicted, gold, aer, CountsFromOne(*from_one))
    if remedies is None:
        assert warned == []
        return
    (line,) = warned
    every = (GIVE_GOLD, GIVE_PREDICTED, LEAVE_GOLD, LEAVE_PREDICTED, "source index")
    assert {text for text in every if text in line} == remedies
    assert "by one (AER 0.00)" in line


def test_links_outside_the_text_beside_the_gold_are_counted(tmp_path, warned):
    gold = tmp_path / "test.de-en.gold"
    (tmp_path / "test.de-en.de").write_text("a\u00a0b c\nd e\n", encoding="utf-8")
    (tmp_path / "test.de-en.en").write_text("A B\nC\n")
    files = tmp_path / "p.align", gold
    inside = gold_of([{(0, 0), (1, 1)}, {(1, 0)}])
    warn_of_links_outside(files, inside, inside)
    assert warned == []
    outside = gold_of([{(0, 0), (2, 1)}, {(1, 1), (1, 0)}])
    warn_of_links_outside(files, outside, inside)
    (line,) = warned
    assert line.startswith(f"{files[0]}: 2 links lie outside") and "pair 1: 2-1" in line
    (tmp_path / "test.de-en.en").write_text("A B\nC\nD\n")  # of another text
    warn_of_links_outside(files, outside, inside)
    warn_of_links_outside((files[0], tmp_path / "test.gold"), outside, inside)
    assert len(warned) == 1
