import os
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.inference.word_alignment.link_files import (
    format_pharaoh,
    parse_pharaoh,
    read_alignments,
)
from fairseq_amber.metrics.word_alignment import alignment_score, link_counts


def test_score_by_hand():
    gold = [parse_pharaoh("0-0 1-1 2p2"), parse_pharaoh("0-1")]
    predicted = [{(0, 0), (2, 2), (3, 3)}, {(0, 0)}]
    score = alignment_score(predicted, gold)
    # |A| = 4, |S| = 3, |A & S| = 1, |A & P| = 2
    assert score.precision == pytest.approx(50)
    assert score.recall == pytest.approx(100 / 3)
    assert score.aer == pytest.approx(100 * (1 - 3 / 7))
    assert score.n == 2


def test_counts_of_each_pair():
    gold = [parse_pharaoh("0-0 1-1 2p2"), parse_pharaoh("0-1")]
    predicted = [[(0, 0), (2, 2), (3, 3)], [(0, 0)]]
    assert link_counts(predicted, gold).tolist() == [[3, 2, 1, 2], [1, 1, 0, 0]]


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


GOLD = Path(os.environ.get("AMBER_DATA", "")) / "align_gold"
EXAMPLES = GOLD / "awesome-align-examples"

real_gold = pytest.mark.skipif(
    "AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder"
)


def count_anew(predicted, gold):
    """AER of two files, by the book."""
    links = sure = correct = 0
    for found, reference in zip(predicted.read_text().splitlines(), gold.read_text().splitlines()):
        A = {tuple(entry.split("-")) for entry in found.split()}
        S = {tuple(entry.split("-")) for entry in reference.split() if "-" in entry}
        P = S | {tuple(entry.split("p")) for entry in reference.split() if "p" in entry}
        links, sure, correct = links + len(A), sure + len(S), correct + len(A & S) + len(A & P)
    return 100 * (1 - correct / (links + sure))


@real_gold
@pytest.mark.data
@pytest.mark.parametrize(
    "pair, aer", [("en-fr", 4.07), ("ro-en", 20.75), ("zh-en", 13.31), ("ja-en", 37.34)]
)
def test_published_outputs_have_their_published_scores(pair, aer):
    files = EXAMPLES / f"test.{pair}.awesome-align.out", EXAMPLES / f"test.{pair}.gold"
    found, gold = (read_alignments(path).pairs for path in files)
    predicted = [line.sure for line in found]
    score = alignment_score(predicted, gold).aer
    assert round(score, 2) == aer
    assert score == pytest.approx(count_anew(*files), abs=1e-9)
    swapped = [{(j, i) for i, j in links} for links in predicted]
    assert alignment_score(swapped, gold).aer > aer + 20


@real_gold
@pytest.mark.data
def test_all_real_gold_agrees_with_a_count_anew(tmp_path):
    files = sorted(GOLD.glob("*/*.gold"))
    assert len(files) >= 10
    rng = np.random.default_rng(0)
    for path in files:
        gold = read_alignments(path).pairs
        predicted = [
            {link for link in pair.possible if rng.random() < 0.7}
            | {tuple(link) for link in rng.integers(0, 15, (3, 2)).tolist()}
            for pair in gold
        ]
        found = tmp_path / "found"
        found.write_text("".join(format_pharaoh(links) + "\n" for links in predicted))
        score = alignment_score([pair.possible for pair in read_alignments(found).pairs], gold)
        assert score.aer == pytest.approx(count_anew(found, path), abs=1e-9)
        assert 5 < score.aer < 95 and score.n == len(gold)
