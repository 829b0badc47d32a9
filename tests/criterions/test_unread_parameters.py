"""The parameters that the states of a layer do not depend on."""

import pytest
import torch

from fairseq_amber.criterions.unread_parameters import cut_above, unread_parameters, zero_from

TOKENS = torch.tensor([[0, 5, 6, 7, 2]])


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_unread_parameters_are_those_without_a_gradient(make_model, layer):
    model = make_model(encoder_layers=3)
    states, _ = model(TOKENS, features_only=True, sentence_layer=layer)
    states.sum().backward()
    without = [parameter for parameter in model.parameters() if parameter.grad is None]
    unread = unread_parameters(model, layer)
    assert {id(parameter) for parameter in unread} == {id(parameter) for parameter in without}


def test_a_zero_gives_a_gradient_of_zero_to_each_parameter(make_model):
    model = make_model()
    zero = zero_from(model.parameters())
    zero.backward()
    assert zero == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_a_model_cut_above_a_layer_has_its_states(make_model):
    model = make_model(encoder_layers=3).eval()
    expected, _ = model(TOKENS, features_only=True, sentence_layer=2)
    cut_above(model, 2)
    states, _ = model(TOKENS, features_only=True)
    assert torch.equal(states, expected)
    assert not any(
        "lm_head" in name or ".layers.2." in name for name, _ in model.named_parameters()
    )
