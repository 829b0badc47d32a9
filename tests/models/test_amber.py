"""The registered model: it exchanges checkpoints with stock RoBERTa and scores chosen tokens."""

import argparse

import pytest
import torch
from fairseq.models.roberta import RobertaModel

from fairseq_amber.data.layout import Specials, pad_rows, sentence_row
from fairseq_amber.models.amber import AmberModel

SPECIALS = Specials(bos=0, eos=2, pad=1)


@pytest.fixture
def stock(dictionary, shape):
    task = argparse.Namespace(source_dictionary=dictionary, max_positions=lambda: 64)
    torch.manual_seed(3)
    return RobertaModel.build_model(argparse.Namespace(**shape), task).eval()


def batch(random_sentences, seed=5, count=4):
    return pad_rows([sentence_row(s, SPECIALS) for s in random_sentences(count, seed)], 1)


def test_stock_roberta_loads_our_checkpoint_and_agrees(make_model, stock, random_sentences):
    ours = make_model().eval()
    stock.load_state_dict(dict(ours.state_dict()), strict=True)
    compare(ours, stock, batch(random_sentences))


def test_we_load_stock_robertas_checkpoint_and_agree(make_model, stock, random_sentences):
    ours = make_model().eval()
    ours.load_state_dict(dict(stock.state_dict()), strict=True)
    compare(ours, stock, batch(random_sentences))


def compare(ours, stock, tokens):
    with torch.no_grad():
        scores, extra = ours(tokens, return_all_hiddens=True)
        expected, stock_extra = stock(tokens, return_all_hiddens=True)
    real = tokens.ne(1)
    torch.testing.assert_close(scores[real], expected[real], atol=1e-5, rtol=1e-5)
    assert len(extra["layers"]) == 3
    for layer, state, theirs in zip(
        extra["layers"], extra["inner_states"], stock_extra["inner_states"]
    ):
        assert torch.equal(layer, state.transpose(0, 1))
        real_first = real.transpose(0, 1)
        torch.testing.assert_close(state[real_first], theirs[real_first], atol=1e-5, rtol=1e-5)


def test_the_settings_of_a_checkpoint_older_than_a_flag(dictionary, shape, make_model):
    task = argparse.Namespace(source_dictionary=dictionary)
    old = AmberModel.build_model(argparse.Namespace(**shape), task)
    old.load_state_dict(make_model().state_dict())


def test_masked_positions_alone_are_scored(make_model, random_sentences):
    model = make_model().eval()
    tokens = batch(random_sentences)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    mask[0, 1] = mask[2, 0] = True
    with torch.no_grad():
        everything, _ = model(tokens)
        by_mask, _ = model(tokens, masked_tokens=mask)
        positions = torch.tensor([[1, 0], [0, 0], [0, 0]])
        by_place, _ = model(tokens, predicted=(positions, torch.tensor([0, 4])))
    torch.testing.assert_close(by_mask, everything[mask])
    torch.testing.assert_close(by_place, everything[mask], atol=1e-5, rtol=1e-5)


def test_the_depth_is_the_number_of_layers(make_model):
    assert make_model(encoder_layers=3).depth == 3


def test_a_frozen_encoder_leaves_the_head_its_gradients(make_model, random_sentences):
    free, frozen = make_model(), make_model(freeze_encoder=True)
    tokens = batch(random_sentences)
    for model in (free, frozen):
        model.eval()(tokens)[0].square().mean().backward()
    learnt = {name for name, p in frozen.named_parameters() if p.grad is not None}
    parts = ("bias", "dense.bias", "dense.weight", "layer_norm.bias", "layer_norm.weight")
    assert learnt == {f"encoder.lm_head.{part}" for part in parts}
    for name, parameter in free.named_parameters():
        if name in learnt:
            assert torch.equal(parameter.grad, frozen.get_parameter(name).grad)
