"""Writing a task folder: new, added to, refused, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.task_folder import TaskFolder
from raw_task_files import snapshot


def test_adding_to_a_folder(prepare):
    assert prepare("pos", "--train", "en=train.tsv", "--test", "zh=more.tsv")[0] == 0
    before = snapshot(Path("out"))
    status, _, _ = prepare(
        "pos", "--test", "zh=test.tsv", "--valid", "de=train.tsv", tokenizer=Path("out")
    )
    assert status == 0
    folder = TaskFolder.open("out")
    assert [folder.languages(split) for split in ("train", "valid", "test")] == [
        ["en"], ["de"], ["zh"]
    ]  # fmt: skip
    assert folder.splits["test"]["zh"] == {"examples": 2, "sources": ["test.tsv"]}
    after = snapshot(Path("out"))
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"task.json", "valid.de.npz", "test.zh.npz"}


@pytest.mark.parametrize(
    "task, flags, message",
    [
        ("ner", "--train en=train.tsv", "out holds the task pos, not ner"),
        ("pos", "--train en=test.tsv", "test.tsv:1: no label behind a tab"),
        ("pos", "--train de=bad.tsv", "out was prepared with other labels (DET, NOUN, VERB, X)"),
        ("pos", "--valid de=bad.tsv", "bad.tsv:2: unknown label 'ADV'; out/labels.txt has DET,"),
        ("pos", "--test de=train.tsv --tokenizer other", "was prepared with another"),
    ],
)
def test_what_cannot_be_added(task: str, flags: str, message: str, prepare, tokenizer: Path):
    assert prepare("pos", "--train", "en=train.tsv")[0] == 0
    Path("bad.tsv").write_text("Der\tDET\nHund\tADV\n")
    shutil.copytree(tokenizer, "other")
    with open("other/dict.txt", "a") as stream:
        stream.write("more 1\n")
    before = snapshot(Path("out"))
    status, out, error = prepare(task, *flags.split())
    assert (status, out) == (2, "") and error.count("\n") == 1 and message in error
    assert snapshot(Path("out")) == before


def test_a_folder_of_somebody_else(prepare):
    Path("out").mkdir()
    assert prepare("pos", "--train", "en=train.tsv")[0] == 0  # an empty one will do
    shutil.rmtree("out")
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("all of it")
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 2 and "out exists and is not a prepared task; name another folder" in error
    assert [path.name for path in Path("out").iterdir()] == ["thesis.tex"]


def test_an_interruption_leaves_nothing(prepare, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    before = sorted(Path().iterdir())
    monkeypatch.setattr("fairseq_amber.preparation.task.output.TaskWriter.finish", interrupt)
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 130 and "interrupted" in error
    assert sorted(Path().iterdir()) == before


def test_a_full_disk_is_one_line(prepare, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    status, _, error = prepare("pos", "--train", "en=train.tsv")
    assert status == 2 and error.endswith("cannot write out: No space left on device\n")
    assert not Path("out").exists()
