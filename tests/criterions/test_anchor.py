"""The frozen initial encoder, and the anchor against a twin that takes one sentence at a time."""

import logging

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.transport_config import TransportConfig
from transport_twins import (
    ALONE,
    batches,
    check_same,
    mean_over_pairs,
    points_of,
    problems_of,
    several_blocks,
    squares,
    states,
)


@pytest.mark.parametrize("reduction", ["sum", "mse"])
@pytest.mark.parametrize("scope", ["batch", "sentence"])
def test_other_reductions_of_the_anchor(build_transport, many_blocks, reduction, scope):
    task, model, criterion, initial = build_transport(
        ot_weight=0.0, anchor_reduction=reduction, ot_scope=scope
    )
    sample = several_blocks(batches(task)[0])
    losses = squares(points_of(task, sample, model, initial))
    problems = problems_of(task, sample, losses)
    if reduction == "mse":
        expected = torch.cat(losses).mean() / 16
    elif scope == "sentence":
        expected = torch.cat(losses).sum() / len(losses)
    else:
        expected = mean_over_pairs(problems, lambda problem: torch.cat(problem).sum())
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def test_the_frozen_encoder_belongs_to_nothing_that_trains_or_saves(build_transport):
    _, _, criterion, initial = build_transport()
    assert not list(criterion.parameters()) and not criterion.state_dict()
    frozen = criterion.transport.frozen
    assert not any(p.requires_grad for p in frozen.model.parameters())
    tokens = torch.tensor([[0, 5, 6, 7, 2]])
    expected = states(initial, [5, 6, 7])
    torch.testing.assert_close(frozen(tokens, reference=torch.zeros(1))[0], expected)
    half = torch.zeros(1, dtype=torch.bfloat16)
    assert frozen(tokens, reference=half).dtype == torch.bfloat16


def test_the_frozen_encoder_is_the_checkpoint_that_training_starts_from(
    make_task, make_model, tmp_path, caplog
):
    task = make_task()
    started = make_model(seed=5)
    state = {"model": started.state_dict(), "cfg": None, "args": None, "extra_state": {"epoch": 1}}
    history = {"criterion_name": "c", "optimizer_name": "o", "num_updates": 0}
    state["optimizer_history"] = [{**history, "lr_scheduler_state": {}}]
    state["extra_state"]["train_iterator"] = {"epoch": 1, "iterations_in_epoch": 0}
    torch.save(state, tmp_path / "start.pt")
    for settings in (
        dict(finetune_from_model=str(tmp_path / "start.pt")),
        dict(restore_file=str(tmp_path / "start.pt")),
        dict(anchor_checkpoint=str(tmp_path / "start.pt"), finetune_from_model="elsewhere.pt"),
    ):
        task.model = make_model(seed=2)
        config = TransportConfig(_name="ot_alignment", **{**ALONE, **settings})
        criterion = task.build_criterion(OmegaConf.structured(config))
        weights = criterion.transport.frozen.model.state_dict()
        for name, value in weights.items():
            torch.testing.assert_close(value, started.state_dict()[name], rtol=0, atol=0)
    with caplog.at_level(logging.WARNING):
        task.build_criterion(OmegaConf.structured(TransportConfig(_name="ot_alignment", **ALONE)))
    assert "random weights" in caplog.text


@pytest.mark.parametrize(
    "trained",
    [
        {"_name": "ot_alignment", "anchor_weight": 1.0},
        {"_name": "ot_alignment", "ot_weight": 1.0, "ot_target_states": "frozen"},
        {"_name": "l2_alignment", "l2_weight": 1.0, "l2_target_states": "frozen"},
    ],
)
def test_going_on_from_an_anchored_checkpoint_asks_for_the_initial_one(
    make_task, make_model, tmp_path, monkeypatch, trained
):
    task = make_task()
    task.model = make_model()
    cfg = OmegaConf.create({"criterion": trained})
    path = str(tmp_path / "half.pt")
    torch.save({"model": task.model.state_dict()}, path)

    def load(file):
        return {**torch.load(file), "cfg": cfg}

    monkeypatch.setattr(anchor.checkpoint_utils, "load_checkpoint_to_cpu", load)

    def build(**settings):
        config = TransportConfig(_name="ot_alignment", finetune_from_model=None, **settings)
        return task.build_criterion(OmegaConf.structured(config))

    with pytest.raises(SystemExit, match="half.pt was itself kept near an initial encoder"):
        build(restore_file=path)
    assert build(restore_file=path, anchor_checkpoint=path).transport.frozen
    assert build(restore_file=path, anchor_weight=0.0).transport.frozen is None
    (tmp_path / "broken.pt").write_text("no checkpoint")
    with pytest.raises(SystemExit, match="broken.pt is not a checkpoint of fairseq$"):
        build(restore_file=str(tmp_path / "broken.pt"))
