import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError

SENTENCES = ["ja", "ein rotes Haus steht am See .", "der Hund schläft heute", "guten Morgen", "ja"]


def slow_vector(encoder, sentence, layer, pooling):
    """One sentence, without padding."""
    ids = encoder.tokenizer.encode([sentence])[0].tolist()
    with torch.no_grad():
        _, extra = encoder._model(
            torch.tensor([[0, *ids, 2]]), features_only=True, return_all_hiddens=True
        )
    states = extra["inner_states"][layer][0]
    if pooling == "cls":
        return states[0]
    return (states if pooling == "mean" else states[1:-1]).mean(0)


@pytest.mark.parametrize("pooling", ["mean", "mean-no-specials", "cls"])
@pytest.mark.parametrize("layer", [0, 1, 3, -1, -4])
def test_vectors_agree_with_one_sentence_at_a_time(encoder, layer, pooling):
    expected = torch.stack([slow_vector(encoder, s, layer, pooling) for s in SENTENCES])
    for batch_tokens in (1, 40, 16384):
        found = encoder.embed(SENTENCES, layer=layer, pooling=pooling, batch_tokens=batch_tokens)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "mean-no-specials", "cls"])
def test_layers_of_one_pass_are_those_of_a_pass_each(encoder, pooling):
    layers = [3, 0, 2, -1]
    together = encoder.embed_layers(SENTENCES, layers, pooling=pooling, batch_tokens=40)
    for layer, vectors in zip(layers, together):
        alone = encoder.embed(SENTENCES, layer=layer, pooling=pooling, batch_tokens=40)
        torch.testing.assert_close(vectors, alone)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_near_and_pools_in_float32(encoder, checkpoint, dtype):
    half = type(encoder).load(checkpoint, device="cpu", dtype=dtype)
    assert next(half._model.parameters()).dtype == getattr(torch, dtype)
    for pooling in ("mean", "cls"):
        found = half.embed(SENTENCES, pooling=pooling)
        expected = encoder.embed(SENTENCES, pooling=pooling)
        assert found.dtype == torch.float32
        assert torch.cosine_similarity(found, expected).min() > 0.99
        assert not torch.equal(found, expected)


def test_a_dtype_that_the_device_lacks_is_one_clear_line(encoder, checkpoint, monkeypatch):
    def refuse(*_):
        raise RuntimeError("\"addmm\" not implemented for 'Half'\nand more")

    monkeypatch.setattr(type(encoder), "_states", refuse)
    with pytest.raises(UserError, match='--dtype float16 cannot be used on cpu: "addmm" not'):
        type(encoder).load(checkpoint, device="cpu", dtype="float16")


def test_equal_sentences_have_equal_vectors_to_the_bit(encoder):
    vectors = encoder.embed(SENTENCES)
    assert torch.equal(vectors[0], vectors[4])


def test_distinct_sentences_are_not_copied(encoder, monkeypatch):
    made = []
    real = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *a, **k: made.append(real(*a, **k)) or made[-1])
    vectors = encoder.embed_layers(SENTENCES[:4], [1, 2])
    assert vectors.data_ptr() in [tensor.data_ptr() for tensor in made]


def test_there_is_no_gradient_and_no_dropout(encoder):
    vectors = encoder.embed(SENTENCES)
    assert not vectors.requires_grad
    assert torch.equal(vectors, encoder.embed(SENTENCES))


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


def test_an_empty_line_has_a_vector(encoder):
    assert encoder.embed(["", "ja"]).isfinite().all()
    assert encoder.embed([""], pooling="mean-no-specials").isfinite().all()


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
