"""Checkpoints of other times, shapes, dictionaries and heads."""

import logging

import pytest
import torch

from fairseq_amber.models.checkpoint_weights import heads_of, under_current_names


@pytest.mark.parametrize(
    "key, names",
    [
        ("decoder.lm_head.bias", ["encoder.lm_head.bias"]),
        ("encoder.sentence_encoder.version", []),
        ("encoder.sentence_encoder.layers.0.fc1_weight", []),
        ("encoder.x.self_attn.in_proj_bias", [f"encoder.x.self_attn.{p}_proj.bias" for p in "qkv"]),
    ],
)
def test_a_weight_gets_the_name_of_today(key, names):
    value = torch.arange(6.0)
    found = under_current_names(key, value)
    assert [name for name, _ in found] == names
    assert not found or torch.equal(torch.cat([part for _, part in found]), value)


def test_a_head_of_another_package_is_left_out_with_a_warning(caplog, capfd):
    assert under_current_names("classification_heads.mnli.dense.bias", torch.zeros(2)) == []
    said = caplog.text + capfd.readouterr().err
    assert "leaving out classification_heads.mnli.dense.bias" in said


def test_names_of_old_xlmr_checkpoints_load(make_model):
    ours = make_model(seed=1)
    old = {}
    for key, value in ours.state_dict().items():
        if ".q_proj." in key:
            names = [key.replace("q_proj.", f"{p}_proj.") for p in "qkv"]
            key = key.replace("q_proj.", "in_proj_")
            value = torch.cat([ours.state_dict()[name] for name in names])
        elif ".k_proj." in key or ".v_proj." in key:
            continue
        key = key.replace("encoder.", "decoder.", 1)
        old[key.replace("layernorm_embedding", "emb_layer_norm")] = value
    old["decoder.sentence_encoder.version"] = torch.tensor([1.0])
    old["decoder.sentence_encoder.layers.0.in_proj_weight"] = torch.zeros(3)
    other = make_model(seed=2)
    other.load_state_dict(old, strict=True)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"encoder_layers": 3}, "parameters are missing"),
        ({"encoder_layers": 1}, "unknown to this model"),
        ({"encoder_embed_dim": 32}, "of another shape"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_one_clear_line(make_model, overrides, message):
    state = dict(make_model().state_dict())
    with pytest.raises(SystemExit, match=f"another architecture.*{message}"):
        make_model(**overrides).load_state_dict(state)


def test_a_checkpoint_of_another_dictionary_is_one_clear_line(make_model):
    model = make_model()
    state = dict(model.state_dict())
    for name in ("sentence_encoder.embed_tokens.weight", "lm_head.weight"):
        state[f"encoder.{name}"] = torch.zeros(17, 16)
    with pytest.raises(SystemExit, match="17 symbols but the data folder's dict.txt has 45"):
        model.load_state_dict(state)


@pytest.mark.parametrize(
    "given, own, message",
    [
        (2, 0, "has 2 token types .* this model has 0; .* or --token-types 2"),
        (0, 2, "has 0 token types .* this model has 2; .* or --token-types 0"),
    ],
)
def test_mbert_for_xlmr_and_the_other_way_round_is_one_clear_line(make_model, given, own, message):
    state = dict(make_model(token_types=given).state_dict())
    with pytest.raises(SystemExit, match=f"another architecture: it {message}"):
        make_model(token_types=own).load_state_dict(state)


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
