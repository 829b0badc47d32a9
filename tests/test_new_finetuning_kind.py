"""A kind of fine-tuning task that is registered from outside works everywhere in the package: its
raw files become a task folder, batches, a loss, predictions, and scores in training and after."""

import argparse
import json
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from fairseq import criterions as fairseq_criterions
from fairseq import metrics
from fairseq import tasks as fairseq_tasks
from omegaconf import OmegaConf

import toy_kind
from checkpoint_fixtures import data_folder, fairseq_amber_command  # noqa: F401
from fairseq_amber.criterions.xtreme import register_xtreme_criterion
from fairseq_amber.data.finetuning.kinds import KINDS, register_kind
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.models.amber import AmberModel
from fairseq_amber.tasks.xtreme import register_xtreme_task

SHAPE = {
    "_name": "amber",
    "encoder_layers": 2,
    "encoder_embed_dim": 16,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 4,
    "max_positions": 64,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
GRADES = {"the dog sleeps": 2, "a red house": 3, "we see two old trees": 0, "good morning": 1}


@pytest.fixture
def grading():
    """Registers the toy kind for one test."""
    register_kind(toy_kind.GRADING)
    register_xtreme_task(toy_kind.GRADING)
    register_xtreme_criterion(toy_kind.GRADING)
    yield
    del KINDS["grading"]
    for registry in (
        fairseq_tasks.TASK_REGISTRY,
        fairseq_tasks.TASK_DATACLASS_REGISTRY,
        fairseq_criterions.CRITERION_REGISTRY,
        fairseq_criterions.CRITERION_DATACLASS_REGISTRY,
    ):
        registry.pop("xtreme_grading", None)
    fairseq_tasks.TASK_CLASS_NAMES.discard("XtremeGradingTask")


@pytest.fixture
def folder(grading, data_folder, fairseq_amber_command, tmp_path):  # noqa: F811
    """What ``prepare-task`` makes of the toy kind's raw files."""
    raw, out = tmp_path / "grades.tsv", tmp_path / "grades"
    raw.write_text("".join(f"{text}\t{grade}\n" for text, grade in GRADES.items()))
    sources = [f"--{split}=en={raw}" for split in ("train", "valid", "test")]
    status, printed, error = fairseq_amber_command(
        "prepare-task", "grades", out, "--tokenizer", data_folder, *sources, "--workers", 1
    )
    assert status == 0, error
    assert printed.splitlines()[0].split() == "graded sentences subwords unknown highest".split()
    assert printed.splitlines()[1].split()[-1] == "3"
    return TaskFolder.open(out)


@pytest.fixture
def parts(folder):
    """The task, the model and the criterion, as fairseq-train puts them together."""
    cls = fairseq_tasks.TASK_REGISTRY["xtreme_grading"]
    values = dict(data=str(folder.path), seed=1, update_freq=[1], train_subset="train")
    values.update(disable_validation=False, finetune_from_model=None, save_dir="nowhere")
    values.update(best_checkpoint_metric="loss", maximize_best_checkpoint_metric=False)
    config = cls.__dataclass(**values, restore_file="checkpoint_last.pt")
    task = cls.setup_task(OmegaConf.structured(config))
    torch.manual_seed(0)
    model = AmberModel.build_model(SimpleNamespace(**SHAPE), task)
    with patch.object(fairseq_tasks.FairseqTask, "build_model", lambda *arguments: model):
        task.build_model(argparse.Namespace(_name="amber_tiny"))
    return task, model, task.build_criterion(OmegaConf.create({"_name": "xtreme_grading"}))


def batch_of(task, split):
    task.load_dataset(split)
    data = task.datasets[split]
    (indices,) = task.get_batch_iterator(data, max_sentences=8, seed=1).frozen_batches
    return data.collater([data[item] for item in indices])


def test_it_is_learnt_and_scored_in_training(parts):
    task, model, criterion = parts
    batch = batch_of(task, "train")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(300):  # how many it takes depends on the weights that this torch draws
        loss, sample_size, _ = criterion(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            break
    assert sample_size == 4 and float(loss.detach()) < 0.1
    _, _, log = task.valid_step(batch_of(task, "valid"), model, criterion)
    with metrics.aggregate(new_root=True) as found:
        task.reduce_metrics([log], criterion)
    assert found.get_smoothed_values()["accuracy"] == 100


def test_its_checkpoint_is_evaluated(parts, folder, fairseq_amber_command, tmp_path):  # noqa: F811
    task, model, _ = parts
    checkpoint = tmp_path / "checkpoint.pt"
    settings = {"model": SHAPE, "task": {"data": str(folder.path), "max_length": 32}}
    torch.save(
        {
            "args": None,
            "cfg": settings,
            "model": model.state_dict(),
            "task_state": task.state_dict(),
        },
        checkpoint,
    )
    flags = ["--json", tmp_path / "out.json", "--predictions", tmp_path, "--device", "cpu"]
    status, printed, error = fairseq_amber_command("evaluate", checkpoint, folder.path, *flags)
    assert status == 0, error
    assert "accuracy in %; baseline: grade 0" in printed
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["task"], result["metric"], result["n"]) == ("grades", "accuracy", 4)
    predicted = [int(line) for line in (tmp_path / "grades" / "test-en.tsv").read_text().split()]
    right = [grade == found for grade, found in zip(GRADES.values(), predicted)]
    assert result["score"] == 100 * sum(right) / 4
    assert result["per_language"]["en"]["baseline_accuracy"] == 25
    assert result["config"]["max_length"] == 32
