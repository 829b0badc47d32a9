import numpy as np
import torch

from fairseq_amber.data.layout import (
    PairMarks,
    Specials,
    aligned_tokens,
    alignment_rows,
    pad_rows,
    pair_row,
    pair_segments,
    second_positions,
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


def test_the_rows_of_one_order_are_the_first_half(random_sentences):
    sources, targets = random_sentences(7, 1), random_sentences(7, 2)
    for include_eos in (False, True):
        both = alignment_rows(sources, targets, SPECIALS, include_eos=include_eos)
        one = alignment_rows(sources, targets, SPECIALS, include_eos=include_eos, both_orders=False)
        assert len(one.rows) == 7 and all(map(np.array_equal, one.rows, both.rows))
        for name in ("prefix_lengths", "queries", "keys", "source_mask", "target_mask"):
            assert getattr(one, name).equal(getattr(both, name)[:7]), name


def test_the_aligned_tokens_of_a_sentence_are_its_own_and_perhaps_its_end():
    lengths = np.array([2, 1])
    assert aligned_tokens(lengths, 3).tolist() == [[True, True, False], [True, False, False]]
    with_eos = aligned_tokens(lengths, 3, include_eos=True)
    assert with_eos.tolist() == [[True, True, True], [True, True, False]]


def test_segments_and_positions_of_pairs():
    prefixes = torch.tensor([5, 3])
    assert pair_segments(prefixes, 7).tolist() == [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
    restart = second_positions(prefixes, 7, "restart")
    assert restart.tolist() == [[0, 1, 2, 3, 4, 0, 1], [0, 1, 2, 0, 1, 2, 3]]


def test_the_positions_of_xlm():
    """The twin is XLM's ``concat_batches``, which joins ``</s> x </s>`` and ``</s> y </s>`` and
    subtracts the length of the first from the positions behind it; here y has no ``</s>`` in
    front."""
    lengths = [(3, 1), (1, 3), (2, 2)]
    width = max(x + y + 3 for x, y in lengths)
    found = second_positions(torch.tensor([x + 2 for x, _ in lengths]), width, "xlm")
    for (x, y), positions in zip(lengths, found.tolist()):
        joined = np.arange(x + 2 + y + 2)
        joined[x + 2 :] -= x + 2
        assert positions[: x + y + 3] == np.delete(joined, x + 2).tolist()
        alone = list(range(y + 2))  # <s> y </s>
        assert positions[x + 2 : x + y + 3] == alone[1:]


def test_marks_are_read_from_the_flags_of_a_task():
    assert PairMarks.of({}) == PairMarks(True, "continuous")
    flags = {"pair_segments": "none", "pair_positions": "xlm"}
    assert PairMarks.of(flags) == PairMarks(False, "xlm")
    # Checkpoints of version 0.2.0 have the former name of restart.
    assert PairMarks.of({"pair_positions": "reset"}).positions == "restart"


def test_only_what_is_not_the_default_of_the_model_is_given_to_it():
    prefixes = torch.tensor([3, 4])
    assert PairMarks(False, "continuous").inputs(prefixes, 6) == {}
    inputs = PairMarks(True, "xlm").inputs(prefixes, 6)
    assert inputs["segments"].equal(pair_segments(prefixes, 6))
    assert inputs["positions"].equal(second_positions(prefixes, 6, "xlm"))
