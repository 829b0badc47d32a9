import numpy as np
import torch

from fairseq_amber.data.layout import (
    Specials,
    alignment_rows,
    pad_rows,
    pair_row,
    pair_segments,
    reset_positions,
    sentence_row,
)

SPECIALS = Specials(bos=0, eos=2, pad=1)
X, Y = np.array([10, 11, 12]), np.array([20, 21])


def test_rows_as_drawn():
    assert sentence_row(X, SPECIALS).tolist() == [0, 10, 11, 12, 2]
    assert pair_row(X, Y, SPECIALS).tolist() == [0, 10, 11, 12, 2, 20, 21, 2]
    assert pad_rows([X, Y], 1).tolist() == [[10, 11, 12], [20, 21, 1]]


def test_the_end_of_a_sentence_can_count_in_word_alignment(random_sentences):
    sources, targets = random_sentences(7, 1), random_sentences(7, 2)
    plain = alignment_rows(sources, targets, SPECIALS)
    rows = alignment_rows(sources, targets, SPECIALS, include_eos=True)
    tokens = pad_rows(rows.rows, 1)
    firsts, seconds = [*sources, *targets], [*targets, *sources]
    for i, (first, second) in enumerate(zip(firsts, seconds)):
        assert tokens[i][rows.queries[i]].tolist()[: len(second) + 1] == [*second, 2]
        assert tokens[i][rows.keys[i]].tolist()[: len(first) + 1] == [*first, 2]
    for name in ("source_mask", "target_mask"):
        assert (getattr(rows, name).sum(1) == getattr(plain, name).sum(1) + 1).all()
    assert rows.prefix_lengths.equal(plain.prefix_lengths)
    assert all(map(np.array_equal, rows.rows, plain.rows))


def test_segments_and_positions_of_pairs():
    prefixes = torch.tensor([5, 3])
    assert pair_segments(prefixes, 7).tolist() == [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
    assert reset_positions(prefixes, 7).tolist() == [[0, 1, 2, 3, 4, 0, 1], [0, 1, 2, 0, 1, 2, 3]]
