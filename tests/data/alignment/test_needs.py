"""What a criterion asks of a batch, against rows that are laid out one by one."""

import numpy as np
import pytest

from fairseq_amber.data.alignment.needs import Needs, PointSettings
from fairseq_amber.data.layout import Specials, pair_row, sentence_row

SPECIALS = Specials(0, 2, 1, 9)


@pytest.mark.parametrize(
    "needs",
    [
        Needs(),
        Needs(alignment=False),
        Needs(tlm=False),
        Needs(tlm=False, alignment=False, sentences=True),
        Needs(alignment=False, sentences=True),
    ],
)
def test_the_tokens_of_a_pair_are_those_of_all_its_rows(needs):
    pairs = [(np.array([5]), np.array([6, 7])), (np.array([5, 6, 7]), np.array([8, 8, 8, 8]))]
    expected = []
    for x, y in pairs:
        rows = [pair_row(x, y, SPECIALS)] * (needs.tlm + 2 * needs.alignment)
        if needs.sentences:
            rows += [sentence_row(x, SPECIALS), sentence_row(y, SPECIALS)]
        expected.append(sum(map(len, rows)))
    lengths = np.array([len(x) + len(y) for x, y in pairs])
    assert needs.tokens_of_pair(lengths).tolist() == expected


def test_pairs_are_needed_by_every_term_but_the_masking_of_single_sentences():
    alone = Needs(tlm=False, alignment=False)
    assert not alone.pairs
    for other in ("tlm", "alignment", "sentences"):
        assert alone._replace(**{other: True}).pairs


@pytest.mark.parametrize("pair, side", [("en-de", 0), ("de-en", 1), ("de-fr", 1)])
def test_the_target_is_the_side_of_its_language_else_the_second(pair, side):
    assert PointSettings(target_language="en").target_side(pair) == side
