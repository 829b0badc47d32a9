import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.encoder import Encoder


def test_a_sentence_beyond_the_longest_row_is_cut(encoder):
    long = " ".join(["Haus"] * 200)
    ids = encoder.tokenizer.encode([long])[0][: encoder.max_tokens - 2]
    [(_, whole)] = encoder.sentence_vectors(encoder.tokenizer.encode([long]))
    [(_, cut)] = encoder.sentence_vectors([ids])
    assert torch.equal(whole, cut)


def test_layers_count_from_either_end(encoder):
    assert [encoder.resolve_layer(n) for n in (0, 1, 3, -1, -4)] == [0, 1, 3, 3, 0]
    for layer in (4, -5):
        with pytest.raises(UserError, match=r"layers 1 to 3"):
            encoder.resolve_layer(layer)


def test_a_pair_is_cut_to_one_row_the_longer_side_first(encoder):
    room = encoder.max_tokens - 3
    for source in range(0, 120, 9):
        for target in range(0, 120, 9):
            x, y = encoder.fit_pair(source, target)
            assert x <= source and y <= target and x + y == min(room, source + target)
            if source <= room // 2:
                assert x == source
    assert encoder.fit_pair(room // 2, 200) == (room // 2, room - room // 2)


def test_attention_of_a_batch_is_that_of_each_pair_alone(encoder):
    sides = [
        encoder.tokenizer.encode(side)
        for side in (["ein rotes Haus", "ja", "guten Morgen"], ["a red house", "yes", "morning"])
    ]
    batch = encoder.pair_attention(*sides)
    for b, (x, y) in enumerate(zip(*sides)):
        alone = encoder.pair_attention([x], [y])
        s, t = len(x), len(y)
        assert batch.source_mask[b].sum() == s and batch.target_mask[b].sum() == t
        torch.testing.assert_close(
            batch.source_to_target[b, :, :s, :t], alone.source_to_target[0, :, :s, :t]
        )
        torch.testing.assert_close(
            batch.target_to_source[b, :, :t, :s], alone.target_to_source[0, :, :t, :s]
        )
        assert (batch.source_to_target[b, :, :s, :t].sum(-1) <= 1 + 1e-5).all()


def test_attention_reads_from_queries_of_one_side_to_keys_of_the_other(encoder):
    """The maps follow the roles: swapping the sentences swaps the maps."""
    x, y = encoder.tokenizer.encode(["ein rotes Haus", "we see two trees"])
    forward, backward = encoder.pair_attention([x], [y]), encoder.pair_attention([y], [x])
    torch.testing.assert_close(forward.source_to_target, backward.target_to_source)
    assert not np.allclose(forward.source_to_target, forward.target_to_source)


@pytest.mark.parametrize("positions", ["continuous", "xlm", "restart", "reset"])
@pytest.mark.parametrize("segments", ["auto", "none"])
def test_attention_reads_rows_in_the_layout_of_the_training(positions, segments, edited_checkpoint):
    def edit(state):
        state["cfg"]["task"].update(pair_positions=positions, pair_segments=segments)
        state["cfg"]["model"]["token_types"] = 2
        types = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
        state["model"]["encoder.sentence_encoder.embed_segments.weight"] = types

    path = edited_checkpoint(edit)
    encoder = Encoder.load(path, device="cpu")
    x, y = encoder.tokenizer.encode(["ein rotes Haus", "we see two trees"])
    found = encoder.pair_attention([x], [y])

    row = torch.tensor([[0, *x, 2, *y, 2]])
    first, second = len(x) + 2, len(y) + 1
    start = {"continuous": first, "xlm": 1, "restart": 0, "reset": 0}[positions]
    maps = []
    for types in (0, 1):
        _, extra = load_model(path).model(
            row,
            positions=torch.tensor([[*range(first), *range(start, start + second)]]),
            segments=torch.tensor([[0] * first + [types] * second]),
            prefix_lengths=torch.tensor([first]),
            cross=(
                torch.tensor([range(first, first + len(y))]),
                torch.tensor([range(1, 1 + len(x))]),
            ),
            features_only=True,
        )
        maps.append(extra["cross_attention"])
    expected, other = maps if segments == "none" else maps[::-1]
    torch.testing.assert_close(found.target_to_source[:, :, : len(y), : len(x)], expected)
    assert not torch.allclose(expected, other)


def test_states_of_a_batch_are_those_of_each_pair_alone(encoder):
    sides = [
        encoder.tokenizer.encode(side)
        for side in (["ein rotes Haus", "ja"], ["we see two old trees", "yes"])
    ]
    batch = encoder.pair_states(*sides, layer=2)
    for b, (x, y) in enumerate(zip(*sides)):
        alone = encoder.pair_states([x], [y], layer=2)
        assert batch.source_mask[b].sum() == len(x) and batch.target_mask[b].sum() == len(y)
        torch.testing.assert_close(batch.source[b, : len(x)], alone.source[0, : len(x)])
        torch.testing.assert_close(batch.target[b, : len(y)], alone.target[0, : len(y)])


def test_an_unknown_pooling_is_refused(encoder):
    with pytest.raises(ValueError, match="'max' is not one of mean"):
        list(encoder.sentence_vectors([np.array([4])], pooling="max"))
