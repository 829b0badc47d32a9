"""Reading what ``fairseq-amber prepare-task`` writes: one of XTREME's tasks in many languages.

    task.json                    the task, its labels, and the splits and languages there are
    labels.txt                   one label a line (not for question answering)
    dict.txt, ...                the dictionary and the tokenizer's files
    <split>.<language>.npz       the examples, as flat arrays
    <split>.<language>.json      the text of question answering, in SQuAD's format

Of subwords the arrays hold the ids that fairseq gives them by dict.txt, end to end and without
special tokens; int32 unless said:

tagging, N sentences of W words and T subwords in all:
    tokens (T,); word_lengths (W,) subwords of each word, at least 1; word_heads (W,) which of them,
    from 0, stands for the word and bears its label: the first, or the one behind a bare U+2581,
    which says that a word begins and nothing of the word itself (SentencePiece has it in front of
    most Chinese characters that are words); sentence_lengths (N,) words of each sentence; labels
    (W,) int16, -1 where the file has none.
classification, N pairs:
    first_tokens, first_lengths (N,), second_tokens, second_lengths (N,); labels (N,) int16, -1
    where the file has none.
qa, P contexts of T subwords in all and Q questions:
    context_tokens (T,), context_lengths (P,); context_offsets (T, 2) the characters [begin, end) of
    its context that each subword stands for; question_tokens, question_lengths (Q,); paragraph (Q,)
    the context of each question; answer_tokens (Q, 2) the first and the last subword of that
    context that cover the question's first answer, -1 -1 where it has none.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fairseq_amber.errors import UserError

TASK_NAME = "task.json"
LABELS_NAME = "labels.txt"
SPLITS = ("train", "valid", "test")
KINDS = {
    "pos": "tagging",
    "ner": "tagging",
    "xnli": "classification",
    "pawsx": "classification",
    "squad": "qa",
    "mlqa": "qa",
    "tydiqa": "qa",
}
ARRAYS = {
    "tagging": ("tokens", "word_lengths", "word_heads", "sentence_lengths", "labels"),
    "classification": (
        "first_tokens",
        "first_lengths",
        "second_tokens",
        "second_lengths",
        "labels",
    ),
    "qa": (
        "context_tokens",
        "context_lengths",
        "context_offsets",
        "question_tokens",
        "question_lengths",
        "paragraph",
        "answer_tokens",
    ),
}


class TaskFolder:
    """A prepared task. task: one of `KINDS`; kind: tagging, classification or qa; labels: in the
    order of their numbers, [] for qa; splits: by split and language, the "examples" (sentences,
    pairs or questions) and the names of the "sources"."""

    def __init__(self, path: Path, content: dict[str, Any]):
        """Takes the content of its task.json."""
        self.path = path
        self.task: str = content["task"]
        self.kind: str = KINDS[self.task]
        self.labels: list[str] = list(content["labels"])
        self.splits: dict[str, dict[str, Any]] = content["splits"]
        if content["kind"] != self.kind or not set(self.splits) <= set(SPLITS):
            raise ValueError
        for languages in self.splits.values():
            for entry in languages.values():
                if not (isinstance(entry["examples"], int) and isinstance(entry["sources"], list)):
                    raise ValueError

    @classmethod
    def open(cls, path: str | Path) -> TaskFolder:
        """Reads the task.json of a folder.

        Raises:
            UserError: there is none, or it is damaged.
        """
        file = Path(path) / TASK_NAME
        try:
            return cls(Path(path), json.loads(file.read_text(encoding="utf-8")))
        except OSError:
            raise UserError(
                f"{path} is no prepared task (it has no readable {TASK_NAME}); make it with "
                f"fairseq-amber prepare-task TASK {path}"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{file} is damaged or of another version; run fairseq-amber prepare-task again"
            ) from None

    def languages(self, split: str) -> list[str]:
        """Those that a split has, sorted; [] if there is no such split."""
        return sorted(self.splits.get(split, {}))

    def arrays(self, split: str, language: str) -> dict[str, np.ndarray]:
        """The examples of a split in a language, as the module's description has them.

        Raises:
            UserError: there are none, or the file is damaged.
        """
        path = self._file(split, language, "npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in ARRAYS[self.kind]}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise self._damaged(path) from None

    def examples_path(self, split: str, language: str) -> Path:
        """The text of question answering, for `read_squad`.

        Raises:
            UserError: this task or split or language has none.
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
