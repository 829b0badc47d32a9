"""Heads read the states that they should."""

import pytest
import torch
import torch.nn.functional as F

OUTPUTS = {"tagging": 5, "classification": 3, "qa": 2}
TOKENS = torch.tensor([[0, 10, 11, 12, 2], [0, 20, 2, 1, 1]])


def test_each_reads_its_states(with_head):
    at = torch.tensor([1, 3, 6])
    for name, outputs in OUTPUTS.items():
        model = with_head(name).double().eval()
        states, _ = model(TOKENS, features_only=True)
        given = {"token_indices": at} if name == "tagging" else {}
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
    at = {"token_indices": torch.tensor([1])} if name == "tagging" else {}
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
