"""The labels of a task: where they come from, and their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Protocol, Sequence

import numpy as np

from fairseq_amber.data.finetuning.task_folder import LABELS_NAME, check_label
from fairseq_amber.errors import UserError
from fairseq_amber.files.text import read_lines

_MOST_LABELS = np.iinfo(np.int16).max + 1  # the arrays of examples hold their numbers


class LabelledFile(Protocol):
    """A file of words or sentence pairs that may have labels."""

    @property
    def path(self) -> Path:
        """The file's path."""

    @property
    def labels(self) -> list[str]:
        """The labels in the file's order, "" where a word or a pair has none."""

    def line(self, index: int) -> int:
        """Returns the line of a label, counted from 1."""


def ordered(labels: Iterable[str]) -> list[str]:
    """Returns each label once, sorted; ``O``, if it occurs, comes first."""
    return sorted(set(labels), key=lambda label: (label != "O", label))


def check_labels(labels: Sequence[str], origin: str) -> None:
    """Checks that each label can be a line of its own, and that all can be numbered.

    Raises:
        UserError: a label holds a control character, or there are too many.
    """
    if len(labels) > _MOST_LABELS:
        raise UserError(
            f"{origin} has {len(labels):,} labels, and {_MOST_LABELS:,} at most can be learned; if "
            "the words are in the column of the labels, name both columns by --columns 2,1"
        )
    for label in labels:
        try:
            check_label(label)
        except ValueError:
            raise UserError(
                f"{origin} has the label {label!a}, which holds a control character; remove it"
            ) from None


def read_labels(path: Path) -> list[str]:
    """Reads the labels of a file, one per line, in the file's order.

    Raises:
        UserError: the file cannot be read, or a line is empty or occurs twice.
    """
    labels = [line.strip() for line in read_lines(path)]
    for number, label in enumerate(labels, 1):
        if not label or label in labels[: number - 1]:
            what = f"the label {label!r} is there twice" if label else "an empty line"
            raise UserError(f"{path}:{number}: {what}; {LABELS_NAME} has each label in one line")
    return labels


def check_blanks(file: LabelledFile, required: bool) -> None:
    """Checks that a file has all its labels or, if they are not required, none.

    Raises:
        UserError: some labels are missing; the message names the first such line.
    """
    missing = file.labels.count("")
    if missing and (required or missing < len(file.labels)):
        remedy = "add it" if required else "add it, or blank them all, as XTREME's test files are"
        line = file.line(file.labels.index(""))
        raise UserError(f"{file.path}:{line}: no label behind a tab; {remedy}")


def number_labels(files: Sequence[LabelledFile], labels: Sequence[str], origin: str) -> np.ndarray:
    """Returns the numbers of the labels of all files.

    Args:
        files: the files, with n labels in all.
        labels: all labels in the order of their numbers.
        origin: where they come from, for the error.

    Returns:
        (n,) int16: the number of each label, -1 where there is none.

    Raises:
        UserError: a file has a label that is not among ``labels``; the message names its line.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    numbers[""] = -1
    for file in files:
        unknown = set(file.labels) - set(numbers)
        if unknown:
            index = next(i for i, label in enumerate(file.labels) if label in unknown)
            raise UserError(
                f"{file.path}:{file.line(index)}: unknown label {file.labels[index]!r}; "
                f"{origin} has {', '.join(labels)}"
            )
    label_numbers = (numbers[label] for file in files for label in file.labels)
    return np.fromiter(label_numbers, np.int16, sum(len(file.labels) for file in files))
