"""What people report of models in fairseq's own programs and interfaces."""

import argparse

import pytest
import torch
from fairseq.models.roberta import RobertaHubInterface, RobertaModel

from toy_corpora import data_folder  # noqa: F401  (the toy one)

SENTENCE = "w1 w2 w3 w4"


class Spaces:
    """A bpe whose subwords are the words."""

    def encode(self, text):
        return text

    def decode(self, text):
        return text


@pytest.fixture
def hubs(make_task, make_model, shape):
    """fairseq's hub interface on our model, with our task, and on its own RoBERTa."""
    task = make_task()
    ours = make_model().eval()
    stock_task = argparse.Namespace(
        source_dictionary=task.dictionary,
        max_positions=lambda: 64,
        mask_idx=task.dictionary.index("<mask>"),
    )
    stock = RobertaModel.build_model(argparse.Namespace(**shape), stock_task).eval()
    stock.load_state_dict(dict(ours.state_dict()), strict=True)
    hubs = []
    for model, its_task in ((ours, task), (stock, stock_task)):
        hub = RobertaHubInterface(argparse.Namespace(bpe=None), its_task, model).eval()
        hub.bpe = Spaces()
        hubs.append(hub)
    return hubs


def test_all_hidden_layers_through_the_hub_interface(hubs):
    """The hub interface returned our layers as time x batch, where fairseq documents batch x time
    and a last layer that equals the features."""
    ours, stock = hubs
    tokens = torch.stack([stock.encode(SENTENCE), stock.encode("w5 w6 w7 w8")])
    layers = ours.extract_features(tokens, return_all_hiddens=True)
    wanted = stock.extract_features(tokens, return_all_hiddens=True)
    assert torch.equal(layers[-1], ours.extract_features(tokens))
    assert len(layers) == len(wanted)
    for layer, expected in zip(layers, wanted):
        torch.testing.assert_close(layer, expected, atol=1e-5, rtol=1e-5)


def test_the_hub_interface_fills_a_mask(hubs):
    """``fill_mask`` asked our task for the id of ``<mask>``, which it did not have."""
    ours, stock = ((hub.fill_mask("w1 <mask> w3", topk=3)) for hub in hubs)
    assert [words for words, _, _ in ours] == [words for words, _, _ in stock]
    assert [p for _, p, _ in ours] == pytest.approx([p for _, p, _ in stock], rel=1e-4)
