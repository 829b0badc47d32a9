"""Writes a new task folder, complete or not at all, or adds files to one that exists."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from fairseq_amber.data.finetuning.kinds import kind_of
from fairseq_amber.data.finetuning.task_folder import LABELS_NAME, TASK_NAME, TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.files.locks import is_empty
from fairseq_amber.files.writing import atomic_folder, finish_moving


def existing_folder(path: Path, task: str) -> TaskFolder | None:
    """Returns the task folder to add to; None if the path does not exist or is an empty folder.

    Raises:
        UserError: the path is something else, or another task, or its labels.txt was changed.
    """
    finish_moving(path, TASK_NAME)
    if not path.exists() or (path.is_dir() and is_empty(path)):
        return None
    if not (path / TASK_NAME).is_file():
        raise UserError(
            f"{path} exists and is not a prepared task; name another folder, or remove it"
        )
    folder = TaskFolder.open(path)
    folder.check_labels()
    if folder.task != task:
        raise UserError(
            f"{path} holds the task {folder.task}, not {task}; name another folder, or remove it"
        )
    return folder


def check_same(
    folder: TaskFolder, labels: Sequence[str], origin: str, files: Mapping[str, bytes]
) -> None:
    """Checks that examples to add have the folder's numbers of labels and subwords.

    Args:
        folder: the task folder to add to.
        labels: the labels of the examples in the order of their numbers.
        origin: where the labels come from, for the error.
        files: the content of the tokenizer's files by their names.

    Raises:
        UserError: the folder has other labels or another tokenizer.
    """
    if list(labels) != folder.labels:
        raise UserError(
            f"{folder.path} was prepared with other labels ({', '.join(folder.labels)}) than "
            f"those of {origin} ({', '.join(labels)}); name another folder, or remove it"
        )
    for name, data in files.items():
        try:
            same = (folder.path / name).read_bytes() == data
        except OSError:
            same = False
        if not same:
            raise UserError(
                f"{folder.path} was prepared with another {name} than the one given; go on with "
                f"--tokenizer {folder.path}, name another folder, or remove it"
            )


class TaskWriter:
    """Writes the files of a task folder.

    Args:
        working: the folder to write to.
    """

    def __init__(self, working: Path):
        self._working = working
        self._splits: dict[str, dict[str, Any]] = {}

    def add(
        self,
        split: str,
        language: str,
        arrays: Mapping[str, np.ndarray],
        examples: int,
        sources: Sequence[Path],
        text: bytes | None,
    ) -> None:
        """Writes the examples of a split in a language.

        Args:
            split: train, valid or test.
            language: the language.
            arrays: the arrays of ``Examples.encode``.
            examples: the number of examples.
            sources: the raw files.
            text: ``Examples.text``.
        """
        stem = self._working / f"{split}.{language}"
        with open(f"{stem}.npz", "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        if text is not None:
            Path(f"{stem}.json").write_bytes(text)
        names = [path.name for path in sources]
        self._splits.setdefault(split, {})[language] = {"examples": examples, "sources": names}

    def finish(
        self, task: str, labels: Sequence[str], files: Mapping[str, bytes], old: TaskFolder | None
    ) -> None:
        """Writes the files that all examples share, and the entries of the folder added to.

        Args:
            task: the task's name.
            labels: the labels in the order of their numbers.
            files: the content of the tokenizer's files by their names.
            old: the folder that is added to; None for a new one.
        """
        for name, data in files.items():
            (self._working / name).write_bytes(data)
        if labels:
            lines = "".join(f"{label}\n" for label in labels)
            (self._working / LABELS_NAME).write_bytes(lines.encode("utf-8"))
        splits = {
            split: dict(languages) for split, languages in (old.splits if old else {}).items()
        }
        for split, languages in self._splits.items():
            splits.setdefault(split, {}).update(languages)
        kind = kind_of(task).name
        content = {"task": task, "kind": kind, "labels": list(labels), "splits": splits}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        # A byte of a source's name that is no UTF-8 becomes an escape of JSON.
        (self._working / TASK_NAME).write_bytes(text.encode("utf-8", "backslashreplace"))


@contextmanager
def task_writer(path: Path) -> Iterator[TaskWriter]:
    """Gives a writer whose files appear at ``path`` once the block has ended without an error.

    They appear all at once if the path does not exist, else file by file, task.json last.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    with atomic_folder(path, last=TASK_NAME) as working:
        yield TaskWriter(working)
