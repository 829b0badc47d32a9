import numpy as np
import pytest
import torch

from fairseq_amber.data.alignment.collater import Collater, PairLayout
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import Specials, sentence_row

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)
X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])


def collater(needs=None, layout=None, seed=1, **rates):
    masking = Masking(MaskingRates(**rates), SPECIALS.mask, (4, 44))
    return Collater(SPECIALS, needs or Needs(), masking, layout, seed)


def two_pairs(*args, **kwargs):
    return collater(*args, **kwargs).pairs([X, P], [Y, Q], [0, 1], epoch=1)


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
    assert net_input["sentence_width"] == 6
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
    batch = collater(probability=0).sentences([X, P], [0, 1], epoch=1)
    assert batch["net_input"]["src_tokens"].tolist() == [[0, 10, 11, 12, 2], [0, 13, 2, 1, 1]]
    assert batch["ntokens"] == 8 and len(batch["target"]) == 0
    assert set(batch["net_input"]) == {"src_tokens", "predicted"}


def test_predicted_points_at_the_masked_rows_and_targets_are_the_originals(random_sentences):
    sources, targets = random_sentences(20, 1), random_sentences(20, 2)
    batch = collater(probability=0.4).pairs(sources, targets, range(20), epoch=1)
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
    "needs, rows", [(Needs(), 3), (Needs(alignment=False), 1), (Needs(tlm=False), 2)]
)
def test_only_the_needed_rows_are_made(needs, rows):
    assert needs.rows_per_pair == rows
    batch = two_pairs(needs, PairLayout(reset=True))
    net_input = batch["net_input"]
    assert net_input["src_tokens"].shape == (2 * rows, 8) and batch["ntokens"] == 16 * rows
    for name in ("segments", "positions"):
        assert net_input[name].shape == (2 * rows, 8)
    positions, slots = net_input["predicted"]
    assert positions.size(0) == (2 if needs.tlm else 0) and len(slots) == len(batch["target"])
    assert ("cross" in net_input) == ("sentence_mask" in batch) == needs.alignment
    if needs.alignment:
        assert len(net_input["prefix_lengths"]) == 2 * rows


def test_segments_and_positions_follow_the_first_sentence_of_every_row():
    firsts = [5, 3, 5, 3, 4, 6]
    net_input = two_pairs(layout=PairLayout(reset=True))["net_input"]
    for first, segments, positions in zip(firsts, net_input["segments"], net_input["positions"]):
        assert segments.tolist() == [0] * first + [1] * (8 - first)
        assert positions.tolist() == [*range(first), *range(8 - first)]
    assert "positions" not in two_pairs()["net_input"]
    assert "segments" not in two_pairs(layout=PairLayout(segments=False))["net_input"]


def test_separate_sentences_are_those_of_the_alignment_rows(random_sentences):
    for needs in (Needs(), Needs(include_specials=False)):
        sources, targets = random_sentences(9, 1), random_sentences(9, 2)
        alone = collater(needs).separate(sources, targets)
        batch = collater(needs).pairs(sources, targets, range(9), epoch=1)
        joint = batch["net_input"]["src_tokens"][9:]
        assert alone["tokens"][0, : len(sources[0]) + 2].tolist() == list(
            sentence_row(sources[0], SPECIALS)
        )
        assert alone["tokens"][alone["mask"]].tolist() == (
            joint[:, : batch["sentence_mask"].size(1)][batch["sentence_mask"]].tolist()
        )
        for key in ("source_key", "target_key"):
            assert alone[key].equal(batch[key])


def test_equal_sentences_have_equal_keys():
    batch = collater().pairs([X, P, X, Y], [Y, Y.copy(), Q, X], range(4), epoch=1)
    a, b, c, d = batch["source_key"].tolist()
    assert a == c and len({a, b, d}) == 3
    e, f, g, h = batch["target_key"].tolist()
    assert e == f == d and h == a and g not in (e, h)


def test_the_mask_of_an_example_depends_on_seed_epoch_and_index_alone(random_sentences):
    sentences = random_sentences(20, 0, 8, 12)

    def masked(indices, epoch=1, **kwargs):
        batch = collater(**kwargs).sentences([sentences[i] for i in indices], indices, epoch)
        return {
            i: row[row != 1].tolist() for i, row in zip(indices, batch["net_input"]["src_tokens"])
        }

    together = masked(range(20))
    assert {**masked(range(10)), **masked(range(19, 9, -1))} == together
    assert masked(range(20), seed=2) != together
    assert masked(range(20), epoch=2) != together
