"""Folders of prepared tasks from somewhere else: what they name, and what they hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

from fairseq_amber import cli
from fairseq_amber.data.finetuning.question_answering import AnswerGold
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.sources import collect_sources

CONTENT = {
    "task": "pos",
    "kind": "tagging",
    "labels": ["NOUN", "VERB"],
    "splits": {"test": {"de": {"examples": 2, "sources": ["c.tsv"]}}},
}


def places(value, path=()):
    """The paths to all values within a JSON value, itself the first."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value, path, new):
    """A JSON value with another in place of the one at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["x/../../../gone", "..", "/tmp/gone", "a\\b", "", "a\x1b[2J"])
@pytest.mark.parametrize("command", ["evaluate", "prepare-task"])
def test_languages_that_lead_elsewhere(name, command, tmp_path, capsys):
    """A language of task.json is part of the names of the files that are read and written: one such
    as x/../../NAME once led --predictions out of its folder."""
    content = replaced(CONTENT, ("splits", "test"), {name: {"examples": 1, "sources": []}})
    folder = write(tmp_path / "deep" / "task", json.dumps(content))
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "train.tsv").write_text("a\tX\n")
    arguments = {
        "evaluate": ["none.pt", str(folder), "--predictions", str(tmp_path / "deep" / "pred")],
        "prepare-task": ["pos", str(folder), "--tokenizer", str(folder)]
        + ["--train", f"en={tmp_path / 'train.tsv'}"],
    }
    assert cli.main([command, *arguments[command]]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "task.json: the language " in error and "cannot be part of a file name" in error
    assert "\x1b" not in error
    (tmp_path / "train.tsv").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_files_of_xtreme_that_are_not_read(tmp_path, caplog):
    """A copy beside the files of XTREME's folder is named, and a language of several parts read."""
    (tmp_path / "panx").mkdir()
    for name in ("test-de", "test-zh-min-nan", "test-de.copy", "train-en"):
        (tmp_path / "panx" / f"{name}.tsv").write_text("a\tO\n")
    found = collect_sources("ner", tmp_path, {})
    assert sorted(found["test"]) == ["de", "zh-min-nan"] and list(found["train"]) == ["en"]
    assert len(caplog.records) == 1
    assert "panx/test-de.copy.tsv is not read: its name is not panx/test-LANG.tsv" in caplog.text


def test_any_value_anywhere(tmp_path):
    """Whatever a damaged task.json holds, the error is one line."""
    values = [
        None,
        True,
        -1,
        1.5,
        10**30,
        "",
        "a",
        "\ud800",
        [],
        [None],
        {},
        {"a": 1},
        [[]],
        {"a": {}},
    ]
    opened = 0
    for path in places(CONTENT):
        for value in values:
            folder = write(tmp_path, json.dumps(replaced(CONTENT, path, value)))
            try:
                TaskFolder.open(folder)
                opened += 1
            except UserError as error:
                assert "task.json" in str(error) and "\n" not in str(error)
    assert opened < 30
    for text in ("", "[" * 100_000, "1" * 5000, '"\\ud800"', "NaN", "{}", "\0"):
        with pytest.raises(UserError, match="task.json is damaged"):
            TaskFolder.open(write(tmp_path, text))


@pytest.mark.parametrize("command", ["evaluate", "prepare-task"])
def test_labels_that_were_edited(command, tmp_path, capsys):
    """An edited labels.txt was left out in silence: the labels are those of task.json."""
    folder = write(tmp_path / "task", json.dumps(CONTENT))
    (folder / "labels.txt").write_text("NOUN\nVERBS\n")
    (tmp_path / "train.tsv").write_text("a\tNOUN\nb\tVERB\n")
    arguments = {
        "evaluate": ["none.pt", str(folder)],
        "prepare-task": ["pos", str(folder), "--tokenizer", str(folder)]
        + ["--train", f"en={tmp_path / 'train.tsv'}"],
    }
    assert cli.main([command, *arguments[command]]) == 2
    assert "labels.txt does not list the labels of task.json" in capsys.readouterr().err


def test_labels_that_were_edited_before_training(write_task, tmp_path):
    examples = {("train", "en"): [[([4], 0, 0)]]}
    folder = write_task(tmp_path / "task", "pos", examples, ["NOUN", "VERB"])
    (folder / "labels.txt").write_text("VERB\nNOUN\n")
    cls = TASK_REGISTRY["xtreme_tagging"]
    with pytest.raises(SystemExit, match="labels.txt does not list the labels of task.json"):
        cls.setup_task(OmegaConf.structured(cls.__dataclass(data=str(folder))))


TAGS = {("test", "de"): [[([4], 0, 0), ([5], 1, 0)], [([6], 2, 0)]]}


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["NOUN", "VERB"]},  # a number without a label
        {"splits": {"test": {"de": {"examples": 3, "sources": []}}}},
    ],
)
def test_examples_of_another_folder(change, tmp_path, write_task):
    """Files of two folders together gave scores of other labels, or a traceback."""
    folder = write_task(tmp_path, "pos", TAGS, ["NOUN", "VERB", "X"])
    assert len(TaskFolder.open(folder).arrays("test", "de")["labels"]) == 3
    content = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match=r"test\.de\.npz is not the file that task\.json describes"):
        TaskFolder.open(folder).arrays("test", "de")


ASKED = {
    ("test", "de"): ([[4, 5, 6], [7, 8]], [(0, [9], (0, 1)), (1, [9], (0, 0)), (1, [9], (1, 1))])
}


@pytest.mark.parametrize("change", ["one less", "one more", "other order", "other context"])
def test_questions_that_were_edited(change, tmp_path, write_task):
    """A question taken out of the JSON alone shifted the predictions of all that follow."""
    folder = write_task(tmp_path, "squad", ASKED)
    path = folder / "test.de.json"
    content = json.loads(path.read_text())
    assert AnswerGold(TaskFolder.open(folder), "test", "de").total == 3
    paragraphs = content["data"][0]["paragraphs"]
    if change == "one less":
        del paragraphs[-1]["qas"][-1]
    elif change == "one more":
        paragraphs[0]["qas"].append({**paragraphs[0]["qas"][0], "id": "new"})
    elif change == "other order":
        paragraphs.reverse()
    else:
        paragraphs[0] = {"context": "w1", "qas": [{"id": "0", "question": "w9", "answers": []}]}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"test\.de\.json is missing, cut short or of another"):
        AnswerGold(TaskFolder.open(folder), "test", "de")
