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
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fairseq_amber.data.finetuning.kinds import Kind, kind_of
from fairseq_amber.errors import UserError

TASK_NAME = "task.json"
LABELS_NAME = "labels.txt"
SPLITS = ("train", "valid", "test")


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
        self.labels: list[str] = list(content["labels"])
        self.splits: dict[str, dict[str, Any]] = content["splits"]
        if content["kind"] != self.kind.name or not set(self.splits) <= set(SPLITS):
            raise ValueError
        for languages in self.splits.values():
            for entry in languages.values():
                if not (isinstance(entry["examples"], int) and isinstance(entry["sources"], list)):
                    raise ValueError

    @classmethod
    def open(cls, path: str | Path) -> TaskFolder:
        """Reads the task.json of a folder.

        Raises:
            UserError: the folder has no task.json, or a damaged one.
        """
        file = Path(path) / TASK_NAME
        try:
            return cls(Path(path), json.loads(file.read_text(encoding="utf-8")))
        except OSError:
            raise UserError(
                f"{path} is not a prepared task (it has no readable {TASK_NAME}); make it with "
                f"fairseq-amber prepare-task TASK {path}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{file} is damaged or of another version; run fairseq-amber prepare-task again"
            ) from None

    def languages(self, split: str) -> list[str]:
        """Returns the languages of a split, sorted; [] if there is no such split."""
        return sorted(self.splits.get(split, {}))

    def arrays(self, split: str, language: str) -> dict[str, np.ndarray]:
        """Reads the examples of a split in a language: the arrays of the task's kind, by name.

        Raises:
            UserError: the task has no such examples, or their file is damaged.
        """
        path = self._file(split, language, "npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in self.kind.arrays}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise self._damaged(path) from None

    def examples_path(self, split: str, language: str) -> Path:
        """Returns the path of the text of question answering, for ``read_squad``.

        Raises:
            UserError: the task is not question answering, or lacks the split or the language.
        """
        path = self._file(split, language, "json")
        if not path.is_file():
            raise self._damaged(path)
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

    def _damaged(self, path: Path) -> UserError:
        return UserError(
            f"{path} is missing, cut short or of another version; run fairseq-amber prepare-task "
            f"{self.task} {self.path} again"
        )
