from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.kinds import KINDS
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError

CONTENT = {
    "task": "pos",
    "kind": "tagging",
    "labels": ["NOUN", "VERB"],
    "splits": {
        "train": {"en": {"examples": 2, "sources": ["train.tsv"]}},
        "test": {
            "fr": {"examples": 1, "sources": ["a.tsv", "b.tsv"]},
            "de": {"examples": 2, "sources": ["c.tsv"]},
        },
    },
}


def write(folder: Path, **changes) -> Path:
    (folder / "task.json").write_text(json.dumps({**CONTENT, **changes}))
    np.savez(folder / "train.en.npz", **{name: np.arange(2) for name in KINDS["tagging"].arrays})
    return folder


def test_what_a_folder_says(tmp_path: Path):
    folder = TaskFolder.open(str(write(tmp_path)))
    assert (folder.task, folder.kind.name, folder.labels) == ("pos", "tagging", ["NOUN", "VERB"])
    assert folder.languages("test") == ["de", "fr"] and folder.languages("valid") == []
    arrays = folder.arrays("train", "en")
    assert set(arrays) == set(KINDS["tagging"].arrays) and arrays["labels"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "split, language, message",
    [
        ("valid", "en", r"valid.en.npz is not there: it has no valid; .* --valid en=FILE"),
        ("test", "en", r"this task has test in de, fr alone; add it .* pos .* --test en=FILE"),
        ("test", "de", r"test.de.npz is missing, cut short or of another version"),
    ],
)
def test_arrays_that_are_not_there(split: str, language: str, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        TaskFolder.open(write(tmp_path)).arrays(split, language)


def test_damaged_arrays(tmp_path: Path):
    folder = TaskFolder.open(write(tmp_path))
    whole = (tmp_path / "train.en.npz").read_bytes()
    for content in (whole[:200], b"", b"nonsense"):
        (tmp_path / "train.en.npz").write_bytes(content)
        with pytest.raises(UserError, match="train.en.npz is missing, cut short"):
            folder.arrays("train", "en")
    np.savez(tmp_path / "train.en.npz", tokens=np.arange(3))
    with pytest.raises(UserError, match="of another version"):
        folder.arrays("train", "en")


def test_the_text_of_a_task_that_has_none(tmp_path: Path):
    with pytest.raises(UserError, match="train.en.json is missing"):
        TaskFolder.open(write(tmp_path)).examples_path("train", "en")


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "chess"},
        {"kind": "qa"},
        {"task": ["pos"]},
        {"labels": None},
        {"labels": "NV"},
        {"labels": {"N": 1}},
        {"labels": ["N", 1]},
        {"labels": ["N", "N"]},
        {"labels": ["N", ""]},
        {"labels": ["N", "V\nX"]},
        {"labels": ["N", "\ud800"]},
        {"splits": []},
        {"splits": {"dev": {}}},
        {"splits": {"train": {"en": {"examples": "1", "sources": []}}}},
        {"splits": {"train": {"en": 1}}},
        {"splits": {"train": {"en": {"examples": True, "sources": []}}}},
        {"splits": {"train": {"en": {"examples": -1, "sources": []}}}},
        {"splits": {"train": {"en": {"examples": 2, "sources": [1]}}}},
    ],
    ids=str,
)
def test_damaged_folders(changes: dict, tmp_path: Path):
    with pytest.raises(UserError, match="task.json is damaged or of another version"):
        TaskFolder.open(write(tmp_path, **changes))


def test_arrays_that_not_every_version_has(tmp_path: Path):
    folder = TaskFolder.open(write(tmp_path))
    assert folder.optional_arrays("train", "en") == {}
    arrays = folder.arrays("train", "en")
    np.savez(tmp_path / "train.en.npz", **arrays, gaps=np.array([0, 2]), other=np.zeros(1))
    assert folder.optional_arrays("train", "en")["gaps"].tolist() == [0, 2]
    assert set(folder.optional_arrays("train", "en")) == {"gaps"}


def test_arrays_that_nothing_can_hold(tmp_path: Path):
    folder = TaskFolder.open(write(tmp_path))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "train.en.npz", "w") as file:
        for name in KINDS["tagging"].arrays:
            file.writestr(f"{name}.npy", array)
    with pytest.raises(UserError, match="train.en.npz is missing, cut short"):
        folder.arrays("train", "en")


def test_other_folders(tmp_path: Path):
    with pytest.raises(UserError, match="is not a prepared task .*fairseq-amber prepare-task TASK"):
        TaskFolder.open(tmp_path)
    (tmp_path / "task.json").write_text("[")
    with pytest.raises(UserError, match="task.json is damaged"):
        TaskFolder.open(tmp_path)
