"""A mistake in any file is found before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from raw_task_files import squad


@pytest.mark.parametrize(
    "task, flags, message",
    [
        ("pos", "--train en=train.tsv --test de=pairs.tsv", "pairs.tsv:1: 3 columns"),
        ("pos", "--test de=test.tsv", "the labels come from the training text; add it"),
        ("pos", "--test de=train.tsv --labels few", "train.tsv:3: unknown label 'VERB'; few has"),
        ("xnli", "--train en=pairs.tsv", "pairs.tsv:1: unknown label '1'; the task xnli has"),
        ("xnli", "--train en=nli.tsv --labels few", "--labels is for tagging alone"),
        ("squad", "--test en=one.json --test en=more.json", "more.json: question '9': 'text' is"),
        ("squad", "--test en=train.tsv", "train.tsv:1: broken JSON"),
        ("pos", "--train en=train.tsv --tokenizer none", "cannot read none"),
        ("pos", "", "no files to prepare"),
    ],
)
def test_nothing_is_written_if_anything_is_wrong(task: str, flags: str, message: str, prepare):
    Path("few").write_text("DET\nNOUN\n")
    Path("more.json").write_text(squad("9", "Der").replace('"text": "Der"', '"text": 7'))
    before = sorted(Path().iterdir())
    status, out, error = prepare(task, *flags.split())
    assert (status, out) == (2, "") and error.count("\n") == 1 and message in error
    assert sorted(Path().iterdir()) == before
