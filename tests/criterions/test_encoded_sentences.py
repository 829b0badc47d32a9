"""The states of sentences in blocks, and the points among them."""

import torch

from amber_twins import batch_of, blocks_of, build_criterion, indices_of, pairs_of, states
from fairseq_amber.criterions.encoded_sentences import (
    encode_block,
    encode_layers,
    encode_pairs,
    flat_states,
    take_points,
)
from fairseq_amber.data.alignment.example import RowStarts


def test_the_states_of_all_blocks_follow_each_other_row_after_row():
    blocks = [torch.randn(2, 3, 5), torch.randn(4, 1, 5)]
    flat = flat_states(blocks)
    assert torch.equal(flat, torch.stack([x for block in blocks for row in block for x in row]))


def test_points_keep_the_shape_of_their_positions():
    flat = torch.randn(6, 5)
    index = torch.tensor([[5, 0, 0], [2, 2, 3]])
    points = take_points(flat, index)
    assert points.shape == (2, 3, 5)
    assert torch.equal(points[0, 0], flat[5]) and torch.equal(points[1, 2], flat[3])
    assert take_points(flat, index[:0]).shape == (0, 3, 5)


def test_padding_leaves_the_states_of_a_sentence_alone(make_model):
    model = make_model().double()
    sentences = {
        "tokens": torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]),
        "mask": torch.tensor([[False, True, True, True, False], [False, True] + 3 * [False]]),
    }
    for layer in (1, 2):
        encoded = encode_block(model, sentences, layer)
        for row, sentence in zip(encoded.states, ([5, 6, 7], [8])):
            expected = states(model, [0, *sentence, 2], layer)
            torch.testing.assert_close(row[: len(expected)], expected)
    assert encoded.tokens is sentences["tokens"] and encoded.mask is sentences["mask"]


def test_states_of_several_layers_come_from_one_forward_pass(make_model, monkeypatch):
    model = make_model(encoder_layers=3).double()
    sentences = {
        "tokens": torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]),
        "mask": torch.ones(2, 5, dtype=torch.bool),
    }
    each = {layer: encode_block(model, sentences, layer) for layer in (1, 2, 3, -1)}
    forward, calls = model.forward, []
    monkeypatch.setattr(model, "forward", lambda *a, **k: calls.append(k) or forward(*a, **k))
    for layers in ([2, 1], [2, 2], [3, 1], [-1, 2], [2]):
        calls.clear()
        found = encode_layers(model, sentences, layers)
        assert len(calls) == 1 and len(found) == len(layers)
        for layer, encoded in zip(layers, found):
            torch.testing.assert_close(encoded.states, each[layer].states)
            assert encoded.mask is sentences["mask"]


def test_each_sentence_of_a_pair_is_where_its_row_starts(make_task, make_model, many_blocks):
    task, model = make_task(), make_model().double()
    build_criterion(task, wa_weight=0.0)
    sample = batch_of(task, indices_of(task, 6))
    blocks = blocks_of(sample, True)
    assert len(blocks) > 1 and blocks_of(sample, False)
    flat = flat_states([block.states for block in encode_pairs(model, sample, 2)])
    starts = RowStarts.of([block["pair_widths"] for block in blocks])
    for number, sides in enumerate(pairs_of(task, sample)):
        for start, side in zip((starts.first[number], starts.second[number]), sides):
            expected = states(model, [0, *side, 2])
            torch.testing.assert_close(flat[start : start + len(expected)], expected)
