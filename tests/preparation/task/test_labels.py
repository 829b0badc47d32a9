"""The numbers of labels, and files of labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.classification import read_pairs
from fairseq_amber.preparation.task.labels import check_labels, number_labels, ordered, read_labels
from raw_task_files import write


def test_numbers_of_labels(tmp_path: Path):
    first = read_pairs(write(tmp_path, "a\tb\tyes\nc\td\tno\n", "1.tsv"), labelled=True)
    second = read_pairs(write(tmp_path, "a\tb\n", "2.tsv"), labelled=False)
    numbers = number_labels([first, second], ["no", "yes"], "here")
    assert numbers.tolist() == [1, 0, -1] and numbers.dtype == "int16"
    with pytest.raises(UserError, match="1.tsv:2: unknown label 'no'; here has yes, maybe"):
        number_labels([first, second], ["yes", "maybe"], "here")
    assert ordered(["b", "O", "B-X", "b"]) == ["O", "B-X", "b"]


def test_files_of_labels(tmp_path: Path):
    assert read_labels(write(tmp_path, "B\nO\nA\n")) == ["B", "O", "A"]
    with pytest.raises(UserError, match="x.tsv:3: the label 'B' is there twice"):
        read_labels(write(tmp_path, "B\nO\nB\n"))
    with pytest.raises(UserError, match="x.tsv:2: an empty line"):
        read_labels(write(tmp_path, "B\n\nA\n"))


def test_labels_that_are_no_line():
    check_labels(["O", "B-X y", "\u00a7"], "here")
    with pytest.raises(UserError, match=r"here has the label 'B\\x1b\[2J', which holds a control"):
        check_labels(["O", "B\x1b[2J"], "here")


def test_more_labels_than_numbers():
    check_labels([str(number) for number in range(2**15)], "x")
    with pytest.raises(UserError, match=r"x has 32,769 labels.* --columns 2,1"):
        check_labels([str(number) for number in range(2**15 + 1)], "x")
