"""Settings of a run that the tasks do not support end in one line, before the model is built."""

import importlib.util

import pytest
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.errors import UserError
from fairseq_amber.models.shapes import SHAPES
from fairseq_amber.tasks.encoder_task import EncoderTask


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


def test_architectures(make_task):
    for name in ("roberta_base", "transformer", "nothing"):
        with ends_with(f"--arch {name} is another model: give .*{', '.join(SHAPES)[:10]}"):
            make_task().build_model(small(_name=name))
    with ends_with("no architecture is given: give one of this package's, amber, amber_base"):
        make_task().build_model(None)


def test_criterions(make_task, make_fine_tuning):
    ours = "amber or contrastive_alignment or l2_alignment or ot_alignment"
    for name in ("masked_lm", "xtreme_tagging"):
        message = f"--criterion {name} does not go with --task .*: give --criterion {ours}$"
        with ends_with(message):
            make_task().build_criterion(OmegaConf.create({"_name": name}))
    with ends_with("--criterion amber does not go with --task .*: give --criterion xtreme_qa$"):
        make_fine_tuning("qa", criterion="amber")
    make_task().build_criterion(OmegaConf.structured(AmberCriterionConfig(_name="amber")))


def test_programs_for_other_models(make_task):
    with ends_with("fairseq-generate and fairseq-interactive write text"):
        make_task().build_generator([], None)
    with ends_with("fairseq-eval-lm measures models that read from left to right"):
        make_task().eval_lm_dataloader(None)


def test_each_task_says_what_it_takes():
    with pytest.raises(NotImplementedError):
        EncoderTask.takes(object)
