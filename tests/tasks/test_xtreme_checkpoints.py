"""The checkpoint that fine-tuning begins from or goes on with must fit the task."""

import logging
import shutil

import pytest
import torch


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


@pytest.fixture
def start(make_fine_tuning, tmp_path):
    """``edit(state)`` -> the path of a checkpoint of the tagging task, edited."""

    def build(edit=lambda state: None):
        task, model, _ = make_fine_tuning("tagging")
        state = {"model": model.state_dict(), "task_state": task.state_dict()}
        state.update(args=None, cfg={"model": {}, "task": {}})
        edit(state)
        path = tmp_path / "start.pt"
        torch.save(state, path)
        return str(path)

    return build


@pytest.mark.parametrize("flag", ["finetune_from_model", "restore_file"])
def test_what_it_begins_from_must_be_of_its_labels_and_dictionary(
    make_fine_tuning, start, toy_tasks, tmp_path, flag
):
    def begin(path, kind="tagging", **settings):
        return make_fine_tuning(kind, **{flag: path}, **settings)

    begin(start())
    begin(start(), "qa")  # the head is another one
    begin(start(lambda state: state.pop("task_state")))
    with ends_with("with the labels O, B-A, X but .* has O, B-A, I-A: give"):
        begin(start(lambda state: state["task_state"].update(labels=["O", "B-A", "X"])))
    with ends_with("dict.txt is not the dictionary that .*start.pt was trained with"):
        begin(start(lambda state: state["task_state"].update(dictionary="another")), "qa")
    with ends_with(f"--{flag.replace('_', '-')}: .*start.pt is not a checkpoint of fairseq-train"):
        begin(start(lambda state: state.pop("model")))
    with ends_with("missing.pt: there is no such file; correct the path"):
        begin(str(tmp_path / "missing.pt"))
    # A run that goes on needs no other beginning.
    shutil.copy(start(), tmp_path / "checkpoint_last.pt")
    if flag == "finetune_from_model":
        begin(str(tmp_path / "missing.pt"), save_dir=str(tmp_path))


def test_a_torn_last_checkpoint_is_no_reason_to_end(make_fine_tuning, start, tmp_path):
    """What stands in for it is looked at in its place."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint_last.pt").touch()
    with ends_with("checkpoint_last.pt is empty, and .* has no other whole checkpoint"):
        make_fine_tuning("tagging", save_dir=str(run))
    history = {"optimizer_history": [{"num_updates": 2, "lr_scheduler_state": {}}]}
    shutil.copy(start(lambda state: state.update(history)), run / "checkpoint_1_2.pt")
    make_fine_tuning("tagging", save_dir=str(run))
    edited = start(lambda state: state["task_state"].update(labels=["X"]))
    torch.save({**torch.load(edited), **history}, run / "checkpoint_1_2.pt")
    with ends_with("checkpoint_1_2.pt was fine-tuned with the labels X"):
        make_fine_tuning("tagging", save_dir=str(run))


def test_validation_of_a_checkpoint_of_another_task(make_fine_tuning):
    task, *_ = make_fine_tuning("tagging")
    kept = task.state_dict()
    assert kept["task"] == "ner" and kept["kind"] == "tagging"
    task.load_state_dict(kept)
    task.load_state_dict({"dictionary": kept["dictionary"]})
    for change in ({"labels": ["O"]}, {"dictionary": "another"}):
        with ends_with("the checkpoint was"):
            task.load_state_dict({**kept, **change})


@pytest.mark.parametrize(
    "task, run, warned",
    [
        ({"tokens_per_sample": 16}, {"restore_file": "checkpoint_last.pt"}, True),
        ({"tokens_per_sample": 16}, {}, True),
        ({"tokens_per_sample": 24}, {}, False),
        ({}, {}, False),  # a fine-tuned model, or a converted one
        ({"tokens_per_sample": 16}, {"finetune_from_model": "xlmr.pt"}, False),
        ({"tokens_per_sample": 16}, {"restore_file": "xlmr.pt"}, False),
        ({"tokens_per_sample": 16}, {"from_pretrained": "xlmr"}, False),
    ],
)
def test_rows_with_positions_that_never_trained(make_fine_tuning, start, caplog, task, run, warned):
    path = start(lambda state: state["cfg"].update(task=task, checkpoint=run, model=run))
    with caplog.at_level(logging.WARNING):
        make_fine_tuning("qa", max_length=24, finetune_from_model=path)
    found = [record.getMessage() for record in caplog.records]
    expected = (
        f"{path} was trained on rows of at most 16 tokens; rows of 24 here have positions that "
        "never trained: pre-train with --tokens-per-sample 24 --sentence-rows block, or give "
        "--max-length 16"
    )
    assert found.count(expected) == warned
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        make_fine_tuning("qa", max_length=16, finetune_from_model=path)
    assert "never trained" not in caplog.text
