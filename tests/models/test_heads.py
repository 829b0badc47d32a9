"""Heads read the states that they should, and find their weights in a checkpoint."""

import logging

import pytest
import torch
import torch.nn.functional as F

from fairseq_amber.models.checkpoint_weights import heads_of

OUTPUTS = {"tagging": 5, "classification": 3, "qa": 2}
TOKENS = torch.tensor([[0, 10, 11, 12, 2], [0, 20, 2, 1, 1]])


@pytest.fixture
def with_head(make_model):
    def build(name, outputs=None, seed=0, **shape):
        model = make_model(seed, **shape)
        model.add_head(name, outputs or OUTPUTS[name])
        return model

    return build


def test_each_reads_its_states(with_head):
    at = torch.tensor([1, 3, 6])
    for name, outputs in OUTPUTS.items():
        model = with_head(name).double().eval()
        states, _ = model(TOKENS, features_only=True)
        given = {"at": at} if name == "tagging" else {}
        scores, _ = model(src_tokens=TOKENS, head=name, **given)
        head = model.heads[name]
        wanted = {
            "tagging": states.reshape(10, -1)[at],
            "classification": states[:, 0],
            "qa": states,
        }[name]
        if name == "classification":
            wanted = torch.tanh(wanted @ head.dense.weight.T + head.dense.bias)
        expected = wanted @ head.out_proj.weight.T + head.out_proj.bias
        assert scores.shape == (*wanted.shape[:-1], outputs)
        torch.testing.assert_close(scores, expected)


def test_segments_and_positions_reach_the_encoder(with_head):
    segments = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])
    for name in ("classification", "qa"):
        model = with_head(name, token_types=2).eval()
        plain = model(TOKENS, head=name)[0]
        for extra in ({"segments": segments}, {"positions": segments}):
            assert not torch.equal(model(TOKENS, head=name, **extra)[0], plain)


@pytest.mark.parametrize("name", ["tagging", "classification"])
def test_the_dropout_is_the_encoders(with_head, name):
    at = {"at": torch.tensor([1])} if name == "tagging" else {}
    model = with_head(name, dropout=0.5)
    model.encoder.eval()  # leaves the head's alone
    draws = [model(TOKENS, head=name, **at)[0] for _ in range(2)]
    assert not torch.equal(*draws)
    model.eval()
    draws = [model(TOKENS, head=name, **at)[0] for _ in range(2)]
    assert torch.equal(*draws)


def test_where_heads_drop_out(with_head):
    states = torch.randn(7, 16)
    for name in OUTPUTS:
        head = with_head(name, dropout=0.25).heads[name].train()
        torch.manual_seed(0)
        scores = head(states)
        torch.manual_seed(0)
        x = states if name == "qa" else F.dropout(states, 0.25)
        if name == "classification":
            x = F.dropout(torch.tanh(head.dense(x)), 0.25)
        assert torch.equal(scores, head.out_proj(x))


def test_a_checkpoint_without_the_head_leaves_it_as_it_is(with_head, make_model, caplog):
    model = with_head("qa", seed=1)
    fresh = {name: value.clone() for name, value in model.heads.state_dict().items()}
    other = make_model(2)
    with caplog.at_level(logging.INFO, "fairseq_amber"):
        model.load_state_dict(other.state_dict(), strict=True)
    assert "no head for qa: its weights are random" in caplog.text
    for name, value in model.heads.state_dict().items():
        assert torch.equal(value, fresh[name])
    for name, value in other.encoder.state_dict().items():
        assert torch.equal(value, model.encoder.state_dict()[name])


def test_its_head_is_loaded_and_others_are_left_out(with_head, caplog):
    source = with_head("tagging", seed=1)
    source.add_head("classification", 3)
    target = with_head("tagging", seed=2)
    with caplog.at_level(logging.INFO, "fairseq_amber"):
        target.load_state_dict(source.state_dict(), strict=True)
    assert "leaving out the checkpoint's head for classification" in caplog.text
    weight = source.heads["tagging"].out_proj.weight
    assert torch.equal(target.heads["tagging"].out_proj.weight, weight)
    assert heads_of(source.state_dict()) == {"tagging": 5, "classification": 3}


def test_another_number_of_labels_is_refused(with_head):
    weights = with_head("tagging", 17).state_dict()
    with pytest.raises(SystemExit, match="to tell 17 labels apart but this task folder has 5"):
        with_head("tagging").load_state_dict(weights, strict=True)
