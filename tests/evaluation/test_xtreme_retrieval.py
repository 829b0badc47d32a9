"""XTREME's Tatoeba number, from what its scripts compute, and ours with its layer and pooling."""

import argparse

import numpy as np
import pytest
import torch

from fairseq_amber.metrics.retrieval import retrieval_accuracy

FOREIGN = ["ein rotes Haus", "der Hund schläft", "ja", "guten Morgen", "das Wasser ist kalt", "Zug"]
ENGLISH = ["a red house", "the dog sleeps", "yes", "good morning", "the water is cold", "train"]


@pytest.fixture(scope="module")
def deep_encoder(encoder, data_folder):
    """Twelve layers, untrained."""
    from fairseq_amber.inference.encoder import Encoder
    from fairseq_amber.models.amber import AmberConfig, AmberModel

    torch.manual_seed(4)
    shape = AmberConfig(
        encoder_layers=12,
        encoder_embed_dim=16,
        encoder_ffn_embed_dim=32,
        encoder_attention_heads=4,
        max_positions=80,
    )
    task = argparse.Namespace(source_dictionary=encoder.dictionary)
    model = AmberModel.build_model(shape, task).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                parameter.mul_(10)
    return Encoder(model, encoder.dictionary, data_folder, {})


def xtreme_accuracy(encoder, source, target, specific_layer):
    """Batches padded on the right; of 13 hidden states the last 12, so that 0 is the first layer;
    mean over the attention mask; the index holds the unit vectors of the source, the queries are
    those of the target (English), squared L2 distance, one neighbour."""
    sides = []
    for sentences in (source, target):
        ids = [[0, *row.tolist(), 2] for row in encoder.tokenizer.encode(sentences)]
        width = max(map(len, ids))
        mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        padded = torch.tensor([row + [1] * (width - len(row)) for row in ids])
        with torch.no_grad():
            _, extra = encoder._model(padded, features_only=True, return_all_hiddens=True)
        all_states = [states.numpy() for states in extra["layers"]]
        assert len(all_states) == 13
        states = all_states[-12:][specific_layer]
        vectors = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        sides.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    distances = ((sides[1][:, None] - sides[0][None]) ** 2).sum(2)
    predictions = distances.argmin(1)
    return 100 * float((predictions == np.arange(len(target))).mean()), predictions


def test_layer_8_backward_is_xtremes_tatoeba(deep_encoder):
    expected, predictions = xtreme_accuracy(deep_encoder, FOREIGN, ENGLISH, specific_layer=7)
    x, y = (deep_encoder.embed(side, layer=8, pooling="mean") for side in (FOREIGN, ENGLISH))
    accuracy = retrieval_accuracy(x, y)
    assert accuracy.backward == pytest.approx(expected)
    assert 0 < expected < 100
    from fairseq_amber.metrics.retrieval import retrieve

    assert retrieve(x, y).backward.tolist() == predictions.tolist()
    others = [
        deep_encoder.embed_layers(side, [7, 9, 12], pooling="mean") for side in (FOREIGN, ENGLISH)
    ]
    found = [retrieve(a, b).backward.tolist() for a, b in zip(*others)]
    assert any(other != predictions.tolist() for other in found)  # the layer matters here
