"""Writes predictions for XTREME's evaluate.py: one folder per task, one file per language."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Collection

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import parse_json, read_bytes
from fairseq_amber.files.writing import atomic_writer

_FOLDERS = {"pos": "udpos", "ner": "panx", "squad": "xquad"}
_SPLITS = {"valid": "dev"}


def submission_path(
    folder: str | Path, task: str, split: str, language: str, *, by_id: bool
) -> Path:
    """Returns the file of one language, such as FOLDER/udpos/test-de.tsv; valid is named ``dev``.

    Args:
        folder: the folder of all predictions.
        task: the task's name.
        split: train, valid or test.
        language: the language.
        by_id: whether the predictions are answers by question id, which make up a JSON file.
    """
    name = f"{_SPLITS.get(split, split)}-{language}.{'json' if by_id else 'tsv'}"
    return Path(folder) / _FOLDERS.get(task, task) / name


def n_best_path(path: Path) -> Path:
    """Returns the file of the n best answers beside that of the best: xquad/nbest-test-de.json."""
    return path.with_name(f"nbest-{path.name}")


def check_places(paths: Collection[Path], labels: Collection[str]) -> None:
    """Checks, before the long work, that predictions can take the place of what is there.

    XTREME's folder of raw files has the names of a submission: ``--predictions download`` would
    replace the test files.

    Args:
        paths: the files to write.
        labels: the labels that predictions consist of; none if they are answers.

    Raises:
        UserError: a file has the name of a folder to write to, or the reverse; or a file to write
            exists and holds something else than predictions.
    """
    for path in paths:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; name another --predictions")
        above = next((folder for folder in path.parents if os.path.lexists(folder)), path)
        if not above.is_dir():
            raise UserError(
                f"cannot write {path}: {above} is no folder; name another --predictions"
            )
        if path.is_file() and not _are_predictions(path, labels):
            raise UserError(
                f"cannot write {path}: it exists and holds something else than predictions; name "
                "another folder by --predictions"
            )


def _are_predictions(path: Path, labels: Collection[str]) -> bool:
    data = read_bytes(path)
    if not labels:
        try:
            answers = parse_json(data, "")
        except UserError:
            return not data
        # SQuAD's own files have a list named data, and those of the n best answers have lists, too
        return "data" not in answers and all(isinstance(x, (str, list)) for x in answers.values())
    return set(data.decode("utf-8", "replace").split("\n")) <= {"", *labels}


def write_predictions(path: Path, predicted: Any) -> None:
    """Writes the predictions of one language.

    Args:
        path: the file to write.
        predicted: the labels of each sentence's words (written one per line, with an empty line
            between sentences), a label for each pair (one per line), or answers by question id
            (JSON).

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_writer(path) as file:
        if isinstance(predicted, dict):
            json.dump(predicted, file, indent=1)  # in ASCII, because evaluate.py names no encoding
            file.write("\n")
            return
        sentences = (entry if isinstance(entry, str) else "\n".join(entry) for entry in predicted)
        between = "\n" if predicted and isinstance(predicted[0], str) else "\n\n"
        file.write(between.join(sentences) + "\n")
