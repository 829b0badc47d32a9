import doctest

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
    states = extra["layers"][layer][0]
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


@pytest.mark.parametrize("pooling", ["mean", "mean-no-specials", "cls"])
def test_a_prefix_is_text_in_front_of_each_sentence(encoder, pooling):
    found = encoder.embed(SENTENCES, prefix="query: ", pooling=pooling)
    written = encoder.embed([f"query: {sentence}" for sentence in SENTENCES], pooling=pooling)
    assert torch.equal(found, written)
    assert not torch.allclose(found, encoder.embed(SENTENCES, pooling=pooling), atol=1e-3)


def test_there_is_no_gradient_and_no_dropout(encoder):
    vectors = encoder.embed(SENTENCES)
    assert not vectors.requires_grad
    assert torch.equal(vectors, encoder.embed(SENTENCES))


def test_an_empty_line_has_a_vector(encoder):
    assert encoder.embed(["", "ja"]).isfinite().all()
    assert encoder.embed([""], pooling="mean-no-specials").isfinite().all()


def test_the_example_of_the_module_works(checkpoint, monkeypatch):
    from fairseq_amber.inference import encoder as module

    monkeypatch.chdir(checkpoint.parent)
    failed, attempted = doctest.testmod(module)
    assert failed == 0 and attempted > 5
