"""What a criterion asks of a batch, against rows that are laid out one by one."""

import numpy as np
import pytest

from fairseq_amber.data.alignment.needs import Needs, PointSettings
from fairseq_amber.data.layout import Specials, pad_rows, pair_row, sentence_row
from fairseq_amber.files.pair_names import PairName

SPECIALS = Specials(0, 2, 1, 9)


def joint_rows(needs):
    return needs.tlm + 2 * needs.alignment + (needs.word_states == "joint")


@pytest.mark.parametrize(
    "needs",
    [
        Needs(),
        Needs(alignment=False),
        Needs(tlm=False),
        Needs(tlm=False, alignment=False, sentences=True),
        Needs(alignment=False, word_states="joint", sentences=True),
        Needs(tlm=False, alignment=False, word_states="joint"),
        Needs(tlm=False, alignment=False, word_states="apart", sentences=True),
        Needs(alignment=False, sentences=True),
    ],
)
def test_the_tokens_of_a_pair_are_those_of_all_its_rows(needs):
    pairs = [(np.array([5]), np.array([6, 7])), (np.array([5, 6, 7]), np.array([8, 8, 8, 8]))]
    expected = []
    for x, y in pairs:
        rows = [pair_row(x, y, SPECIALS)] * joint_rows(needs)
        if needs.sentences:
            rows += [sentence_row(x, SPECIALS), sentence_row(y, SPECIALS)]
        expected.append(sum(map(len, rows)))
    lengths = np.array([len(x) + len(y) for x, y in pairs])
    assert needs.tokens_of_pair(lengths).tolist() == expected


@pytest.mark.parametrize(
    "needs",
    [
        Needs(),
        Needs(alignment=False),
        Needs(alignment=False, sentences=True),
        Needs(tlm=False, alignment=False, sentences=True),
        Needs(alignment=False, word_states="joint", sentences=True),
        Needs(tlm=False, alignment=False, word_states="joint"),
        Needs(tlm=False, alignment=False, word_states="apart", sentences=True),
    ],
)
def test_a_pair_costs_the_places_of_its_rows_of_which_the_own_ones_are_padded_to_the_longer(needs):
    pairs = [([5], [6, 7]), ([5, 6, 7], [8, 8, 8, 8]), ([5] * 9, [6])]
    expected = []
    for x, y in pairs:
        places = len(pair_row(x, y, SPECIALS)) * joint_rows(needs)
        if needs.sentences:
            places += pad_rows([sentence_row(x, SPECIALS), sentence_row(y, SPECIALS)], 1).numel()
        expected.append(places)
    lengths, longer = (
        np.array([of(len(x), len(y)) for x, y in pairs]) for of in (int.__add__, max)
    )
    costs = needs.parts_of_pair(lengths, longer).sum(axis=1)
    assert costs.tolist() == expected
    even = needs.tokens_of_pair(lengths) == costs
    assert even.all() == (not needs.sentences)


def test_a_sentence_that_is_a_candidate_costs_a_second_row():
    rows = np.array([len(sentence_row(x, SPECIALS)) for x in ([5], [5, 6, 7])])
    lengths = rows - 2
    assert Needs().cost_of_sentence(lengths).tolist() == rows.tolist()
    assert Needs(others=True).cost_of_sentence(lengths).tolist() == (2 * rows).tolist()
    assert Needs().cost_of_sentence(lengths, 3).tolist() == (rows + 1).tolist()


def test_pairs_are_needed_by_every_term_but_the_masking_of_single_sentences():
    alone = Needs(tlm=False, alignment=False)
    assert not alone.pairs
    for other in ("tlm", "alignment", "sentences"):
        assert alone._replace(**{other: True}).pairs
    assert alone._replace(word_states="joint").pairs


@pytest.mark.parametrize("pair, side", [("en-de", 0), ("de-en", 1), ("de-fr", 1)])
def test_the_target_is_the_side_of_its_language_else_the_second(pair, side):
    assert PointSettings(target_language="en").target_side(pair) == side


def test_the_target_side_of_a_pair_whose_languages_have_hyphens():
    settings = PointSettings(target_language="zh-min-nan")
    pairs = [("zh-min-nan", "zh"), ("zh", "zh-min-nan"), ("pt-BR", "en")]
    assert [settings.target_side(PairName(*pair)) for pair in pairs] == [0, 1, 1]
