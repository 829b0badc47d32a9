"""The rows of blocks, against rows that are laid out by hand or one example at a time."""

import numpy as np
import pytest
import torch

from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.rows import PairLayout
from fairseq_amber.data.layout import PairMarks, sentence_row
from toy_examples import SPECIALS, content, pair, row_maker, sentence

X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])
GIVEN = PairLayout(both_orders=False)
OWN_ROWS = Needs(tlm=False, alignment=False, sentences=True)
ALL_NEEDS = [
    Needs(),
    Needs(alignment=False),
    Needs(tlm=False),
    Needs(alignment=False, sentences=True),
    OWN_ROWS,
]


def two_pairs(needs=None, layout=GIVEN, **rates):
    return row_maker(needs, layout, **rates).pairs([pair(0, X, Y), pair(1, P, Q)], epoch=1)


def random_pairs(random_sentences, count, high=12):
    sides = random_sentences(count, 1, high=high), random_sentences(count, 2, high=high)
    return [pair(draw, x, y) for draw, (x, y) in enumerate(zip(*sides))]


def restored(found):
    """The first row of an example as it was before it was masked."""
    row = list(found["rows"][0])
    for position, target in found["predicted"]:
        row[position] = target
    return row


def test_rows_of_pairs_as_drawn():
    batch = two_pairs()
    net_input = batch["net_input"]
    tokens = net_input["src_tokens"]
    assert tokens.shape == (6, 8)
    assert tokens[2:].tolist() == [
        [0, 10, 11, 12, 2, 20, 21, 2],
        [0, 13, 2, 22, 23, 24, 25, 2],
        [0, 20, 21, 2, 10, 11, 12, 2],
        [0, 22, 23, 24, 25, 2, 13, 2],
    ]
    assert net_input["prefix_lengths"].tolist() == [8, 8, 5, 3, 4, 6]
    assert net_input["sentence_width"] == 6 and batch["pair_widths"] == (2, 6)
    queries, keys = net_input["cross"]
    assert queries.tolist() == [[5, 6, 0, 0], [3, 4, 5, 6], [4, 5, 6, 0], [6, 0, 0, 0]]
    assert keys.tolist() == [[1, 2, 3, 0], [1, 0, 0, 0], [1, 2, 0, 0], [1, 2, 3, 4]]
    assert batch["source_mask"].int().tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert batch["target_mask"].int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["sentence_mask"].int().tolist() == [
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1],
    ]
    assert batch["ntokens"] == 3 * 16


def test_rows_of_sentences_as_drawn():
    batch = row_maker(probability=0).sentences([sentence(0, X), sentence(1, P)], epoch=1)
    assert batch["net_input"]["src_tokens"].tolist() == [[0, 10, 11, 12, 2], [0, 13, 2, 1, 1]]
    assert batch["ntokens"] == 8 and len(batch["target"]) == 0
    assert set(batch["net_input"]) == {"src_tokens", "predicted"} and "sentences" not in batch


def test_predicted_points_at_the_masked_rows_and_targets_are_the_originals(random_sentences):
    pairs = random_pairs(random_sentences, 20)
    batch = row_maker(layout=GIVEN, probability=0.4).pairs(pairs, epoch=1)
    tokens = batch["net_input"]["src_tokens"]
    positions, slots = batch["net_input"]["predicted"]
    assert positions.dtype == slots.dtype == torch.int64 and positions.size(0) == 20
    clean = tokens[20:40]
    assert batch["target"].tolist() == clean.gather(1, positions).flatten()[slots].tolist()
    untouched = torch.ones(20, tokens.size(1), dtype=torch.bool)
    untouched[slots // positions.size(1), positions.flatten()[slots]] = False
    assert tokens[:20][untouched].equal(clean[untouched])
    assert (positions.flatten()[np.delete(np.arange(positions.numel()), slots)] == 0).all()


def test_special_tokens_can_be_left_out_of_the_mean_and_the_end_put_into_the_block():
    batch = two_pairs(Needs(include_specials=False, alignment_specials=True))
    assert batch["sentence_mask"].int().tolist() == [
        [0, 1, 1, 1, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 1, 0],
    ]
    queries, keys = batch["net_input"]["cross"]
    assert queries[0].tolist() == [5, 6, 7, 0, 0] and keys[0].tolist() == [1, 2, 3, 4, 0]
    assert batch["source_mask"].sum(1).tolist() == [4, 2]


@pytest.mark.parametrize(
    "needs, rows", [(Needs(), 3), (Needs(alignment=False), 1), (Needs(tlm=False), 2), (OWN_ROWS, 0)]
)
def test_only_the_needed_rows_are_made(needs, rows):
    assert needs.rows_per_pair == rows
    batch = two_pairs(needs, PairLayout(PairMarks(positions="xlm")))
    net_input = batch["net_input"]
    assert net_input["src_tokens"].shape == (2 * rows, 8)
    assert batch["ntokens"] == 16 * rows + 18 * needs.sentences
    for name in ("segments", "positions"):
        assert net_input[name].shape == (2 * rows, 8)
    positions, slots = net_input["predicted"]
    assert positions.size(0) == (2 if needs.tlm else 0) and len(slots) == len(batch["target"])
    assert ("cross" in net_input) == ("sentence_mask" in batch) == needs.alignment
    assert ("sentences" in batch) == needs.sentences
    if needs.alignment:
        assert len(net_input["prefix_lengths"]) == 2 * rows


def test_segments_and_positions_are_made_on_request():
    assert "positions" not in two_pairs()["net_input"] and "segments" in two_pairs()["net_input"]
    other = two_pairs(layout=PairLayout(PairMarks(segments=False, positions="xlm")))["net_input"]
    assert "segments" not in other and "positions" in other


def slow_rows(x, y, order, needs):
    """What ``content`` finds of a pair, but for its predictions, with the masked row unmasked."""
    laid_out = [order] * needs.tlm + [(x, y), (y, x)] * needs.alignment
    found = {
        "rows": [[0, *a, 2, *b, 2] for a, b in laid_out],
        "segments": [[0] * (len(a) + 2) + [1] * (len(b) + 1) for a, b in laid_out],
        "positions": [[*range(len(a) + 2), *range(1, len(b) + 2)] for a, b in laid_out],
    }
    if needs.alignment:
        whole = [len(x) + len(y) + 3] * needs.tlm
        found["prefixes"] = [*whole, len(x) + 2, len(y) + 2]
        found["aligned"] = [len(x), len(y)]
        found["keys"] = [[1 + i for i in range(len(side))] for side in (x, y)]
        ends = [(len(x), len(y)), (len(y), len(x))]
        found["queries"] = [[2 + a + i for i in range(b)] for a, b in ends]
        found["means"] = [[*range(len(side) + 2)] for side in (x, y)]
    if needs.sentences:
        found["own"] = [([0, *side, 2], [*range(len(side) + 2)]) for side in (x, y)]
    return found


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("needs", ALL_NEEDS)
def test_rows_in_either_order_equal_the_slow_twin(random_sentences, needs, both):
    pairs = random_pairs(random_sentences, 40)
    maker = row_maker(needs, PairLayout(PairMarks(positions="xlm"), both), probability=0.3)
    swapped = 0
    for example, found in zip(pairs, content(maker.pairs(pairs, epoch=1))):
        x, y = (side.tolist() for side in example.sentences)
        order = (x, y)
        if needs.tlm:
            found["rows"][0] = restored(found)
            if both and found["rows"][0] == [0, *y, 2, *x, 2] and x != y:
                order = (y, x)
                swapped += 1
            assert found["predicted"]
        del found["predicted"]
        assert found == slow_rows(x, y, order, needs)
    assert (10 < swapped < 30) == (both and needs.tlm) and swapped < 40


def orders(draws, layout=None, seed=1, epoch=1, needs=None):
    """Whether the masked row of each draw of one pair begins with the second sentence."""
    maker = row_maker(needs, layout or PairLayout(), seed, probability=0)
    block = maker.pairs([pair(int(draw), X, Y) for draw in draws], epoch)
    return (block["net_input"]["src_tokens"][: len(draws), 1] == Y[0]).numpy()


def test_a_coin_of_seed_epoch_and_draw_puts_about_half_of_the_targets_first():
    draws = np.arange(4000)
    swapped = orders(draws)
    assert abs(swapped.mean() - 0.5) < 0.03
    assert (orders(draws[::-1])[::-1] == swapped).all() and (
        orders(draws[7:9]) == swapped[7:9]
    ).all()
    assert (orders(draws, needs=Needs(alignment=False)) == swapped).all()
    for other in (orders(draws, seed=2), orders(draws, epoch=2), orders(draws + 4000)):
        assert abs((other == swapped).mean() - 0.5) < 0.03


def test_in_the_given_order_the_source_is_always_first():
    assert not orders(np.arange(500), layout=GIVEN).any()


def test_the_coin_and_the_masking_of_a_row_are_independent(random_sentences):
    """Where the coin leaves a pair as it is, it is masked as in the given order."""
    pairs = random_pairs(random_sentences, 60)
    both, given = (
        content(row_maker(layout=layout).pairs(pairs, epoch=1)) for layout in (PairLayout(), GIVEN)
    )
    kept = [n for n in range(60) if restored(both[n]) == restored(given[n])]
    assert 20 < len(kept) < 40
    assert all(both[n] == given[n] for n in kept)

    long = [pair(draw, np.full(20, 10), np.full(20, 10)) for draw in range(2000)]
    swapped = orders(range(2000))
    masked = content(row_maker(Needs(alignment=False)).pairs(long, epoch=1))
    first = np.array([1 in dict(one["predicted"]) for one in masked])
    assert abs(first[swapped].mean() - first[~swapped].mean()) < 0.05


def test_separate_sentences_are_those_of_the_alignment_rows(random_sentences):
    pairs = random_pairs(random_sentences, 9)
    for needs in (Needs(), Needs(include_specials=False)):
        maker = row_maker(needs)
        alone, batch = maker.separate(pairs), maker.pairs(pairs, epoch=1)
        joint = batch["net_input"]["src_tokens"][9:]
        first = pairs[0].sentences[0]
        assert alone["tokens"][0, : len(first) + 2].tolist() == list(sentence_row(first, SPECIALS))
        assert alone["tokens"].shape == (18, batch["pair_widths"][1])
        assert alone["tokens"][alone["mask"]].tolist() == (
            joint[:, : batch["sentence_mask"].size(1)][batch["sentence_mask"]].tolist()
        )


def test_equal_sentences_have_equal_keys_in_any_company():
    keys = row_maker().keys([X, P, X.copy(), Y, Q])
    a, b, c, d, e = keys.tolist()
    assert keys.dtype == torch.int64 and a == c and len({a, b, d, e}) == 4
    assert row_maker().keys([P]).tolist() == [b] and row_maker().keys([]).shape == (0,)


def test_sentences_that_are_candidates_have_unmasked_rows_beside_the_masked_ones():
    examples = [sentence(0, X), sentence(1, P)]
    block = row_maker(Needs(others=True), probability=1, leave=0, random=0).sentences(examples, 1)
    assert block["net_input"]["src_tokens"].tolist() == [[0, 44, 44, 44, 2], [0, 44, 2, 1, 1]]
    assert block["sentences"]["tokens"].tolist() == [[0, 10, 11, 12, 2], [0, 13, 2, 1, 1]]
    assert block["sentences"]["mask"].equal(block["sentences"]["tokens"] != 1)
    assert block["ntokens"] == 16


def test_a_row_of_several_lines_has_two_segments_from_a_line_on():
    lines, alone = np.array([0, 2, 5]), np.array([0])
    text = np.arange(10, 16)
    examples = [sentence(draw, text, lines) for draw in range(200)]
    examples += [sentence(999, X, alone), sentence(1000, P)]
    found = content(row_maker(probability=0).sentences(examples, epoch=1))
    seconds = []
    for one in found[:200]:
        (row,), (segments,) = one["rows"], one["segments"]
        second = segments.index(1) - 2
        assert row == [0, *text[:second], 2, *text[second:], 2]
        assert segments == [0] * (second + 2) + [1] * (7 - second)
        seconds.append(second)
    assert {second: seconds.count(second) > 70 for second in set(seconds)} == {2: True, 5: True}
    for one, x in zip(found[200:], (X, P)):
        assert one["rows"] == [[0, *x, 2]] and one["segments"] == [[0] * (len(x) + 2)]
    single = row_maker(probability=0).sentences(examples[200:], epoch=1)
    assert "segments" not in single["net_input"]
    assert single["ntokens"] == 8


def test_a_row_of_two_segments_predicts_as_many_tokens_as_one_segment_would():
    text = np.arange(4, 34)
    for starts in (None, np.array([0, 12, 20])):
        examples = [sentence(draw, text, starts) for draw in range(50)]
        for one in content(row_maker().sentences(examples, epoch=1)):
            assert len(one["predicted"]) == 5
            places = dict(one["predicted"])
            if starts is not None:
                end = one["segments"][0].index(1) - 1
                assert end not in places
                places = {at - (at > end): token for at, token in places.items()}
            assert all(text[at - 1] == token for at, token in places.items())
