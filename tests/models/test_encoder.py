"""A row is encoded the same in any batch; layers, token types and initial weights."""

import pytest
import torch
import torch.nn.functional as F

from fairseq_amber.data.layout import Specials, alignment_rows, pad_rows, sentence_row
from fairseq_amber.errors import UserError

SPECIALS = Specials(bos=0, eos=2, pad=1)


def test_padding_and_company_change_nothing(make_model, pairs):
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    cross = aligned.queries, aligned.keys
    tokens = pad_rows(aligned.rows, 1)
    wide = torch.nn.functional.pad(tokens, (0, 5), value=1)
    with torch.no_grad():
        states, extra = model(
            tokens, prefix_lengths=aligned.prefix_lengths, cross=cross, features_only=True
        )
        padded, padded_extra = model(
            wide, prefix_lengths=aligned.prefix_lengths, cross=cross, features_only=True
        )
        for i, row in enumerate(aligned.rows):
            alone, alone_extra = model(
                torch.from_numpy(row)[None],
                prefix_lengths=aligned.prefix_lengths[i : i + 1],
                cross=(aligned.queries[i : i + 1], aligned.keys[i : i + 1]),
                features_only=True,
            )
            torch.testing.assert_close(states[i, : len(row)], alone[0], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(
                extra["cross_attention"][i], alone_extra["cross_attention"][0]
            )
    real = tokens.ne(1)
    torch.testing.assert_close(states[real], padded[:, :-5][real], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(extra["cross_attention"], padded_extra["cross_attention"])


def test_the_first_sentence_of_a_masked_pass_is_encoded_as_if_alone(make_model, pairs):
    model = make_model().eval()
    aligned = alignment_rows(*pairs, SPECIALS)
    with torch.no_grad():
        joint, _ = model(
            pad_rows(aligned.rows, 1), prefix_lengths=aligned.prefix_lengths, features_only=True
        )
        for row, sentence in zip(joint, [*pairs[0], *pairs[1]]):
            alone, _ = model(
                torch.from_numpy(sentence_row(sentence, SPECIALS))[None], features_only=True
            )
            torch.testing.assert_close(row[: len(sentence) + 2], alone[0], atol=1e-5, rtol=1e-4)


def test_every_weight_starts_as_berts(dictionary):
    import argparse

    from fairseq_amber.models.amber import AmberConfig, AmberModel

    torch.manual_seed(0)
    cfg = AmberConfig(encoder_layers=2, encoder_embed_dim=128, encoder_attention_heads=4)
    model = AmberModel.build_model(cfg, argparse.Namespace(source_dictionary=dictionary))
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
        elif name.endswith("bias"):
            assert not parameter.any(), name


@pytest.mark.parametrize("layer", [0, 4, -4])
def test_a_layer_that_is_not_there(make_model, make_batch, layer):
    for argument in ("attention_layer", "sentence_layer"):
        with pytest.raises(UserError, match=f"^{argument} {layer}: the model has layers 1 to 3$"):
            make_model(encoder_layers=3)(**make_batch(), **{argument: layer})


def test_token_types(make_model, make_batch):
    batch = make_batch()
    plain, typed = make_model(), make_model(token_types=2, layer_norm_eps=1e-12)
    assert typed.encoder.sentence_encoder.layernorm_embedding.eps == 1e-12
    segments = batch["segments"]
    assert torch.equal(plain(**batch)[0], plain(**{**batch, "segments": 1 - segments})[0])
    assert not torch.allclose(typed(**batch)[0], typed(**{**batch, "segments": 1 - segments})[0])
    without = {k: v for k, v in batch.items() if k != "segments"}
    zeros = typed(**{**batch, "segments": torch.zeros_like(segments)})[0]
    torch.testing.assert_close(typed(**without)[0], zeros)


def test_gelu_is_exact(make_model):
    """BERT's and XLM-R's GELU is the exact one, not the tanh approximation."""
    layer = make_model().encoder.sentence_encoder.layers[0]
    x = torch.randn(1, 2, 16)
    inner = layer.self_attn_layer_norm(x + layer.self_attn(x, torch.ones(1, 1, 1, 2).bool()))
    hidden = layer.fc1(inner)
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    expected = F.layer_norm(inner + layer.fc2(hidden), (16,))
    torch.testing.assert_close(layer(x, torch.ones(1, 1, 1, 2).bool()), expected)
