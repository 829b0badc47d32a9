"""The rows of pairs whose word states are compared, and the places of the words in them."""

import pytest
import torch

from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.alignment.rows import PairLayout
from fairseq_amber.data.layout import PairMarks
from toy_examples import pair, row_maker

JOINT = Needs(tlm=False, alignment=False, word_states="joint")
APART = Needs(tlm=False, alignment=False, word_states="apart", sentences=True)


def test_for_the_states_of_words_together_a_pair_has_one_unmasked_row_with_full_attention():
    batch = row_maker(JOINT, PairLayout(PairMarks(positions="restart"))).pairs(
        [pair(0, [10, 11, 12], [20, 21]), pair(1, [13], [22, 23, 24, 25])], epoch=1
    )
    net_input = batch["net_input"]
    assert net_input["src_tokens"].tolist() == [
        [0, 10, 11, 12, 2, 20, 21, 2],
        [0, 13, 2, 22, 23, 24, 25, 2],
    ]
    assert net_input["prefix_lengths"].tolist() == [8, 8] and net_input["sentence_width"] == 8
    assert net_input["segments"].tolist() == [[0] * 5 + [1] * 3, [0] * 3 + [1] * 5]
    assert net_input["positions"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2], [0, 1, 2, 0, 1, 2, 3, 4]]
    queries, keys = net_input["cross"]
    assert queries.tolist() == [[5, 6, 0, 0], [3, 4, 5, 6]]
    assert keys.tolist() == [[1, 2, 3, 0], [1, 0, 0, 0]]
    assert batch["source_mask"].int().tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert batch["target_mask"].int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["ntokens"] == 16 and "sentences" not in batch and "sentence_mask" not in batch


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("needs", [JOINT, APART])
def test_the_aligned_tokens_are_at_their_places_whatever_the_rows(random_sentences, needs, end):
    sides = zip(random_sentences(30, 1), random_sentences(30, 2))
    pairs = [pair(draw, x, y) for draw, (x, y) in enumerate(sides)]
    needs = needs._replace(tlm=True, alignment_specials=end)
    batch = row_maker(needs, probability=0.3).pairs(pairs, epoch=1)
    net_input, masks = batch["net_input"], (batch["source_mask"], batch["target_mask"])
    if needs.word_states == "joint":
        clean = net_input["src_tokens"][30:]
        assert len(clean) == 30 and net_input["prefix_lengths"].equal(
            torch.tensor([len(x) + len(y) + 3 for x, y in (e.sentences for e in pairs)] * 2)
        )
        found = [clean.gather(1, index) for index in reversed(net_input["cross"])]
    else:
        assert len(net_input["src_tokens"]) == 30 and "cross" not in net_input
        found = batch["sentences"]["tokens"][:, 1 : 1 + masks[0].size(1)].chunk(2)
    for side in (0, 1):
        for tokens, mask, example in zip(found[side], masks[side], pairs):
            assert tokens[mask].tolist() == [*example.sentences[side], *[2] * end]
