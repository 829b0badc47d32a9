"""The edits of the transformer encoder, seen at work; each test is named after its edit."""

from __future__ import annotations

import re

import pytest
import torch

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq.data import Dictionary  # noqa: E402
from fairseq.models.transformer import (  # noqa: E402
    Embedding,
    TransformerConfig,
    TransformerEncoderBase,
)


def encoder():
    torch.manual_seed(0)
    config = TransformerConfig()
    config.dropout = 0.0
    config.encoder.layers = 2
    config.encoder.embed_dim = 8
    config.encoder.ffn_embed_dim = 16
    config.encoder.attention_heads = 2
    dictionary = Dictionary()
    embedding = Embedding(len(dictionary) + 10, 8, dictionary.pad())
    return TransformerEncoderBase(config, dictionary, embedding)


def test_encoder_layer_parameters():
    unused = [
        name
        for name, _ in encoder().named_parameters()
        if re.search(r"\.(in_proj|out_proj|fc1|fc2)_(weight|bias)$", name)
    ]
    assert unused == []


def evaluates_a_padded_batch():
    model = encoder()
    model.load_state_dict(model.state_dict())
    tokens = torch.tensor([[5, 6, 7, 2], [5, 2, 1, 1]])
    with torch.no_grad():
        model.eval()
        before_training = model(tokens)["encoder_out"][0]
        model.train()
        expected = model(tokens)["encoder_out"][0]
    torch.testing.assert_close(before_training, expected, rtol=0, atol=0)


test_encoder_layer_fast_path = evaluates_a_padded_batch
test_encoder_fast_path = evaluates_a_padded_batch


def test_stock_checkpoints():
    model = encoder()
    expected = model.state_dict()
    state = dict(expected)
    for layer in range(2):
        for module in ("in_proj", "out_proj", "fc1", "fc2"):
            state[f"layers.{layer}.{module}_weight"] = torch.zeros(1)
            state[f"layers.{layer}.{module}_bias"] = torch.zeros(1)
    for layer in range(2):
        model.layers[layer].upgrade_state_dict_named(state, f"layers.{layer}")
    model.load_state_dict(state, strict=True)
