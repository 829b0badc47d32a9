"""Settings of fairseq that mean nothing, or that this machine cannot do, end in one line."""

import importlib.util

import pytest
from fairseq.dataclass.configs import FairseqConfig
from fairseq.optim.adam import FairseqAdamConfig
from fairseq.optim.lr_scheduler.polynomial_decay_schedule import PolynomialDecayLRScheduleConfig
from omegaconf import OmegaConf

from fairseq_amber.errors import UserError
from fairseq_amber.tasks.run_settings import check_run


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def in_run(task, section, **settings):
    """The task as part of the whole config of a run."""
    sections = {"common": {}, "checkpoint": {}, "distributed_training": {}, section: settings}
    task.cfg = OmegaConf.create({**sections, "task": task.cfg}).task
    return task


def small(**settings):
    return OmegaConf.create({"_name": "amber_tiny", **settings})


@pytest.mark.parametrize(
    "section, setting, package",
    [
        ("common", "tensorboard_logdir", "tensorboard"),
        ("common", "wandb_project", "wandb"),
        ("common", "aim_repo", "aim"),
        ("common", "azureml_logging", "azureml-core"),
        ("checkpoint", "write_checkpoints_asynchronously", "iopath"),
    ],
)
def test_a_package_that_a_flag_needs(make_task, monkeypatch, section, setting, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    task = in_run(make_task(), section, **{setting: "x"})
    flag = "--" + setting.replace("_", "-")
    with ends_with(f"{flag} needs {package}: pip install {package}, or drop the flag"):
        task.build_model(small())
    task.build_model(small(), from_checkpoint=True)  # a program that reads what a run has left
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    task.build_model(small())


@pytest.mark.parametrize("ranks", [1, 2])
def test_backends_that_do_not_keep_one_model(make_task, ranks):
    run = dict(ddp_backend="slowmo", distributed_world_size=ranks)
    task = in_run(make_task(), "distributed_training", **run)
    if ranks == 1:
        task.build_model(small())
    else:
        with ends_with("--ddp-backend slowmo is not supported.*give pytorch_ddp or legacy_ddp"):
            task.build_model(small())
    task.cfg._get_parent().distributed_training.ddp_backend = "fully_sharded"
    with pytest.raises(UserError, match="--ddp-backend fully_sharded is not supported"):
        type(task)(task.cfg, task.dictionary)


def stock(**changed):
    """The task's part of a config of fairseq's defaults, but for some, ``section__name``."""
    whole = OmegaConf.structured(FairseqConfig)
    whole.optimizer = OmegaConf.structured(FairseqAdamConfig)
    whole.lr_scheduler = OmegaConf.structured(PolynomialDecayLRScheduleConfig)
    whole.lr_scheduler.total_num_update = 10
    whole.model = whole.criterion = {}
    whole.task = OmegaConf.create({"data": "data-bin"})
    for name, value in changed.items():
        OmegaConf.update(whole, name.replace("__", "."), value)
    return whole.task


@pytest.mark.parametrize(
    "setting, value, message",
    [
        ("common__log_interval", 0, "--log-interval 0 is not 1 or more"),
        ("dataset__num_workers", -1, "--num-workers -1 is not 0 or more"),
        ("dataset__validate_interval", 0, "--validate-interval 0 is not 1 or more"),
        ("dataset__validate_interval_updates", -3, "--validate-interval-updates -3 is not 0 or"),
        ("dataset__max_valid_steps", 0, "--max-valid-steps 0 is not 1 or more"),
        ("optimization__max_epoch", -1, "--max-epoch -1 is not 0 or more"),
        ("optimization__max_update", -1, "--max-update -1 is not 0 or more"),
        ("optimization__stop_time_hours", -0.5, "--stop-time-hours -0.5 is not 0 or more"),
        ("optimization__clip_norm", -1.0, "--clip-norm -1 is not 0 or more"),
        ("optimization__clip_norm", float("nan"), "--clip-norm nan is not a number"),
        ("optimization__lr", [1e-3, -1e-4], "--lr -0.0001 is not 0 or more"),
        ("optimization__lr", [1e-3, float("nan")], "--lr nan is not a number"),
        ("checkpoint__save_interval", 0, "--save-interval 0 is not 1 or more"),
        ("checkpoint__save_interval_updates", -1, "--save-interval-updates -1 is not 0 or more"),
        ("optimizer__weight_decay", -0.1, "--weight-decay -0.1 is not 0 or more"),
        ("optimizer__adam_eps", -1e-8, "--adam-eps -1e-08 is not 0 or more"),
        ("lr_scheduler__warmup_updates", -5, "--warmup-updates -5 is not 0 or more"),
        ("lr_scheduler__total_num_update", 0.0, "--total-num-update 0 is not 1 or more"),
        ("lr_scheduler__power", float("nan"), "--power nan is not a number"),
    ],
)
def test_numbers_that_mean_nothing(setting, value, message):
    with pytest.raises(UserError, match=f"^{message}"):
        check_run(stock(**{setting: value}))


def test_a_group_that_nothing_reads():
    task = stock()
    OmegaConf.set_struct(task._get_parent(), False)
    task._get_parent().criterions = {"mlm_weight": 2}
    with pytest.raises(UserError, match="^criterions is no group of settings"):
        check_run(task)


def test_the_defaults_of_fairseq_mean_something():
    check_run(stock())
    check_run(stock(optimization__lr=[0.0, 1e-3], dataset__max_valid_steps=None))
    check_run(OmegaConf.create({"data": "data-bin"}))  # a task of its own, as convert has it


@pytest.mark.parametrize("more", ["", "memory_efficient_fp16", "fp16_no_flatten_grads", "amp"])
def test_half_precision_without_a_gpu(more):
    settings = {"common__fp16": True, "common__cpu": True}
    if more:
        check_run(stock(**settings, **{f"common__{more}": True}))
    else:
        with pytest.raises(UserError, match="--fp16 copies .*: add --fp16-no-flatten-grads, or"):
            check_run(stock(**settings))
