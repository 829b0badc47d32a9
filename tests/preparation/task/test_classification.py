"""Sentence pairs: from the raw file to the arrays."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.classification import read_pairs
from raw_task_files import fairseq_ids, rows, write

AWKWARD = [
    ('He said "hi".', "a", "0"),
    ('"', '""', "1"),
    ('"all quoted"', 'b "', "0"),
    ("it's, fine", '" c', "1"),
    ('"x" and "y"', '"""', "0"),
]


@pytest.mark.parametrize("columns", [2, 3])
def test_what_the_csv_writer_wrote(columns: int, tmp_path: Path):
    """As XTREME's preprocessing does."""
    path = tmp_path / "x.tsv"
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows(row[:columns] for row in AWKWARD)
    file = read_pairs(path, labelled=columns == 3)
    assert list(zip(file.first, file.second)) == [row[:2] for row in AWKWARD]
    assert file.labels == [row[2] if columns == 3 else "" for row in AWKWARD]


def test_quotation_marks_that_no_csv_writer_wrote(tmp_path: Path):
    rows = [('"Hello."', '"a', "0"), ('say "x"', '"x" or "y"', "1"), ('""', '"', "0")]
    rows += [('"a"b""c"', 'a "b', "1")]
    path = write(tmp_path, "".join("\t".join(row) + "\n" for row in rows))
    file = read_pairs(path, labelled=True)
    assert list(zip(file.first, file.second, file.labels)) == rows


def test_other_names_of_labels(tmp_path: Path):
    file = read_pairs(write(tmp_path, " a \tb\tcontradictory \n"), labelled=True)
    assert (file.first, file.second, file.labels) == (["a"], ["b"], ["contradiction"])


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\tb\t0\nc\n", "x.tsv:2: 1 column instead of 3"),
        ("a\tb\t0\n\n", "x.tsv:2: 1 column instead of 3"),
        ("id\ta\tb\t0\n", "x.tsv:1: 4 columns instead of 3; a line is sentence<TAB>sentence"),
        ("a\tb\t0\n \tb\t0\n", "x.tsv:2: the first sentence is empty"),
        ("a\t\t0\n", "x.tsv:1: the second sentence is empty"),
        ("a\tb\t0\na\tb\n", "x.tsv:2: no label behind a tab"),
    ],
)
def test_broken_pairs(text: str, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        read_pairs(write(tmp_path, text), labelled=False)


def test_classification(prepare):
    flags = "--train en=pairs.tsv --train en=pairs.tsv --test de=blank.tsv".split()
    status, _, error = prepare("pawsx", *flags)
    assert status == 2 and "--train en=pairs.tsv: given twice" in error
    status, out, _ = prepare("pawsx", *flags[2:])
    folder = TaskFolder.open("out")
    assert (status, folder.labels) == (0, ["0", "1"])
    arrays = folder.arrays("train", "en")
    first = rows(arrays["first_tokens"], arrays["first_lengths"])
    second = rows(arrays["second_tokens"], arrays["second_lengths"])
    texts = ["Der Hund", 'Der "Hund"', 'Ein ""Hund""', "schläft"]
    assert first + second == [fairseq_ids(Path("out"), text) for text in texts]
    assert arrays["labels"].tolist() == [1, 0]
    assert folder.arrays("test", "de")["labels"].tolist() == [-1]
    assert out.splitlines()[0].split() == ["pairs", "subwords", "unknown", "0", "1", "blank"]
