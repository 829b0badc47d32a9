import shutil

import pytest

from fairseq_amber.doctor.task_folder import inspect_task


@pytest.mark.parametrize("kind", ["tagging", "qa"])
def test_a_whole_task(toy_tasks, kind):
    found = inspect_task(toy_tasks[kind])
    assert found.damages == [] and found.checked["files of examples"] == 4
    assert found.checked["texts of questions"] == (4 if kind == "qa" else 0)
    assert found.checked["lists of labels"] == (kind == "tagging")


@pytest.mark.parametrize(
    "kind, name, place, message",
    [
        ("tagging", "task.json", 0, "task.json is damaged"),
        ("tagging", "labels.txt", 0, "labels.txt does not list the labels of task.json"),
        ("tagging", "test.de.npz", 200, "test.de.npz is missing, cut short or of another"),
        ("tagging", "dict.txt", -2, "dict.txt:40: expected 'symbol count'"),
        ("qa", "valid.en.json", 0, "valid.en.json"),
    ],
)
def test_each_damage_is_named(toy_tasks, tmp_path, flip, kind, name, place, message):
    task = shutil.copytree(toy_tasks[kind], tmp_path / "task")
    flip(task / name, place, 64)
    (damage,) = inspect_task(task).damages
    assert message in damage and "\n" not in damage
