"""Reading the folder that ``fairseq-amber prepare-task`` writes: one task in many languages.

    task.json                    the task, its labels, and the splits and languages that there are
    labels.txt                   one label a line (not for question answering)
    dict.txt, ...                the dictionary and the tokenizer's files
    <split>.<language>.npz       the examples, as flat arrays
    <split>.<language>.json      the text of question answering, in SQuAD's format

The module of each kind (``data/finetuning/<kind>.py``) describes its arrays. Subwords are the ids
that fairseq gives them by dict.txt, end to end and without special tokens.
"""

from __future__ import annotations

import json
import struct
import tokenize
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from fairseq_amber.data.finetuning.kinds import Kind, kind_of
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.names import check_name

TASK_NAME = "task.json"
LABELS_NAME = "labels.txt"
SPLITS = ("train", "valid", "test")


# What numpy and zipfile raise for a file with changed bytes, also for a size that nothing can hold.
_DAMAGES = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    OverflowError,
    AttributeError,
    TypeError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def check_label(label: object) -> str:
    """Returns a label that can be a line of its own, in labels.txt and in predictions.

    Raises:
        ValueError: it is not text or is empty, has white space around it, or holds a control
            character or half of a surrogate pair.
    """
    if not isinstance(label, str) or not label or label != label.strip():
        raise ValueError
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in label):
        raise ValueError
    return label


class TaskFolder:
    """A prepared task.

    Args:
        path: the folder.
        content: the content of its task.json.

    Attributes:
        task: the task's name.
        kind: the kind of task.
        labels: the labels in the order of their numbers; [] if the kind has none.
        splits: by split and language, the number of "examples" (sentences, pairs or questions) and
            the names of the "sources".
    """

    def __init__(self, path: Path, content: dict[str, Any]):
        self.path = path
        self.task: str = content["task"]
        self.kind: Kind = kind_of(self.task)
        self.labels: list[str] = content["labels"]
        self.splits: dict[str, dict[str, Any]] = content["splits"]
        if content["kind"] != self.kind.name or not set(self.splits) <= set(SPLITS):
            raise ValueError
        if not isinstance(self.labels, list):
            raise ValueError
        if len({check_label(label) for label in self.labels}) < len(self.labels):
            raise ValueError
        for languages in self.splits.values():
            for language, entry in languages.items():
                check_name(language, "language", path / TASK_NAME)
                examples, sources = entry["examples"], entry["sources"]
                if type(examples) is not int or examples < 0 or not isinstance(sources, list):
                    raise ValueError
                if not all(isinstance(name, str) for name in sources):
                    raise ValueError

    @classmethod
    def open(cls, path: str | Path) -> TaskFolder:
        """Reads the task.json of a folder.

        Raises:
            UserError: the folder has no task.json, a damaged one, or one with a language that
                cannot be part of a file's name.
        """
        file = Path(path) / TASK_NAME
        try:
            return cls(Path(path), json.loads(file.read_text(encoding="utf-8")))
        except OSError:
            raise UserError(
                f"{path} is not a prepared task (it has no readable {TASK_NAME}); make it with "
                f"fairseq-amber prepare-task TASK {path}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError(
                f"{file} is damaged or of another version; run fairseq-amber prepare-task again"
            ) from None

    def check_labels(self) -> None:
        """Checks that labels.txt, which a person may have edited, has the labels of task.json. A
        folder without it is accepted.

        Raises:
            UserError: it has others.
        """
        path = self.path / LABELS_NAME
        wanted = "".join(f"{label}\n" for label in self.labels).encode("utf-8")
        if path.is_file() and self.labels and read_bytes(path) != wanted:
            raise UserError(
                f"{path} does not list the labels of {TASK_NAME}, whose numbers the examples have: "
                f"run fairseq-amber prepare-task {self.task} {self.path} again, with --labels for "
                "another order"
            )

    def languages(self, split: str) -> list[str]:
        """Returns the languages of a split, sorted; [] if there is no such split."""
        return sorted(self.splits.get(split, {}))

    def arrays(self, split: str, language: str) -> dict[str, np.ndarray]:
        """Reads the examples of a split in a language: the arrays of the task's kind, by name.

        Raises:
            UserError: the task has no such examples, or their file is damaged or of another task.
        """
        arrays = self._read(split, language, self.kind.arrays, ())
        if not self._fit(arrays, self.splits[split][language]["examples"]):
            path = self._file(split, language, "npz")
            raise UserError(
                f"{path} is not the file that {TASK_NAME} describes: it has other examples or "
                f"labels; run fairseq-amber prepare-task {self.task} {self.path} again"
            )
        return arrays

    def _fit(self, arrays: dict[str, np.ndarray], examples: int) -> bool:
        """Returns whether the arrays hold this number of examples, and labels that there are."""
        numbers = arrays.get("labels", np.zeros(0, np.int16))
        if len(numbers) and not -1 <= numbers.min() <= numbers.max() < len(self.labels):
            return False
        return not self.kind.counted or len(arrays[self.kind.counted]) == examples

    def optional_arrays(self, split: str, language: str) -> dict[str, np.ndarray]:
        """Reads those of the kind's optional arrays that the folder has.

        Raises:
            UserError: the task has no such examples, or their file is damaged.
        """
        return self._read(split, language, (), self.kind.optional_arrays)

    def _read(
        self, split: str, language: str, needed: Sequence[str], optional: Sequence[str]
    ) -> dict[str, np.ndarray]:
        path = self._file(split, language, "npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                names = [*needed, *(name for name in optional if name in file.files)]
                return {name: file[name] for name in names}
        except _DAMAGES:
            raise self.damaged(path) from None

    def examples_path(self, split: str, language: str) -> Path:
        """Returns the path of the text of question answering, for ``read_squad``.

        Raises:
            UserError: the task is not question answering, or lacks the split or the language.
        """
        path = self._file(split, language, "json")
        if not path.is_file():
            raise self.damaged(path)
        return path

    def _file(self, split: str, language: str, suffix: str) -> Path:
        path = self.path / f"{split}.{language}.{suffix}"
        if language not in self.splits.get(split, {}):
            there = ", ".join(self.languages(split))
            raise UserError(
                f"{path} is not there: "
                + (f"this task has {split} in {there} alone" if there else f"it has no {split}")
                + f"; add it with fairseq-amber prepare-task {self.task} {self.path} "
                f"--{split} {language}=FILE"
            )
        return path

    def damaged(self, path: Path) -> UserError:
        """Returns the error of a file that does not hold what prepare-task has written."""
        return UserError(
            f"{path} is missing, cut short or of another version; run fairseq-amber prepare-task "
            f"{self.task} {self.path} again"
        )
