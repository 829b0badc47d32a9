"""Mistakes that only fairseq-hydra-train can have in its settings."""

import pytest
from fairseq.dataclass.configs import FairseqConfig
from fairseq.tasks import TASK_REGISTRY
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from fairseq_amber.errors import UserError
from fairseq_amber.tasks import hydra_settings
from fairseq_amber.tasks.hydra_settings import check_groups, check_task_settings


def whole(**groups):
    every = {group: {} for group in FairseqConfig.__dataclass_fields__ if group != "_name"}
    return OmegaConf.create({**every, "task": {"data": "x"}, **groups})


def test_a_run_with_settings_of_every_group():
    check_groups(whole(optimizer={"_name": "bert_adam"}, job_logging_cfg={}))
    for other in (None, {"_name": "amber"}, OmegaConf.create({"task": {"data": "???"}})):
        check_groups(other)


@pytest.mark.parametrize(
    "groups, message",
    [
        (dict(criterions={"mlm_weight": 2}), "^criterions is no group of settings, .* criterion, "),
        (dict(optimization={"max_update": "???"}), "^optimization.max_update is missing"),
        (dict(optimizer={"_name": "bert"}), "^optimizer._name=bert: there is .*, bert_adam, "),
        (dict(lr_scheduler={"_name": "linear"}), "^lr_scheduler._name=linear: .* polynomial_decay"),
    ],
)
def test_what_a_run_would_not_read_or_find(groups, message):
    """A group of another name was left out in silence, and a name ended in a KeyError."""
    with pytest.raises(UserError, match=message):
        check_groups(whole(**groups))


@pytest.mark.parametrize(
    "group, key",
    [
        ("task", "data"),
        ("model", "from_pretrained"),
        ("checkpoint", "finetune_from_model"),
        ("criterion", "l2_links"),
    ],
)
def test_a_path_that_is_missing(group, key):
    cfg = whole(**{group: {key: "???"}})
    with pytest.raises(UserError, match=f"^{group}.{key} is missing: give {group}.{key}=PATH$"):
        check_task_settings(cfg.task)


def test_a_path_in_the_folder_that_hydra_has_left(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir(tmp_path / "outputs")
    check_task_settings(whole(task={"data": "bin"}).task)  # not hydra's
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    there = OmegaConf.create({"runtime": {"cwd": str(tmp_path)}})
    monkeypatch.setattr(hydra_settings.HydraConfig, "get", lambda: there)
    check_task_settings(whole(task={"data": "nowhere"}).task)
    check_task_settings(whole(task={"data": str(tmp_path / "bin")}).task)
    with pytest.raises(UserError, match="task.data=bin is in .*, but hydra has gone to .*/outputs"):
        check_task_settings(whole(task={"data": f"{tmp_path}:bin"}).task)


def test_a_task_alone():
    check_task_settings(None)
    with pytest.raises(UserError, match="task.data is missing"):
        check_task_settings(OmegaConf.create({"data": "???"}))


@pytest.mark.parametrize("name", ["cross_lingual_alignment", "xtreme_tagging"])
def test_each_task_looks_at_its_paths_first(name):
    cls = TASK_REGISTRY[name]
    cfg = OmegaConf.structured(cls.__dataclass)
    with pytest.raises(SystemExit, match="fairseq-amber: error: task.data is missing: give task"):
        cls.setup_task(cfg)
