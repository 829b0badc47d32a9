"""Checks a folder of ``fairseq-amber prepare-task``."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.data.finetuning.task_folder import LABELS_NAME, TaskFolder
from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.doctor.vocabulary_files import inspect_vocabulary
from fairseq_amber.files.json_file import read_bytes


def inspect_task(path: Path) -> Inspection:
    """Checks every file of a prepared task."""
    inspection = Inspection(path, "a prepared task")
    folder = inspection.check("task.json", TaskFolder.open, path)
    inspect_vocabulary(inspection)
    if folder is None:
        return inspection
    inspection.kind = f"the prepared task {folder.task}"
    if folder.labels:
        inspection.check("lists of labels", _check_labels, folder)
    for split in folder.splits:
        for language in folder.languages(split):
            inspection.check("files of examples", folder.arrays, split, language)
            if folder.kind.name == "qa":
                inspection.check("texts of questions", _read_questions, folder, split, language)
    return inspection


def _check_labels(folder: TaskFolder) -> None:
    read_bytes(folder.path / LABELS_NAME)
    folder.check_labels()


def _read_questions(folder: TaskFolder, split: str, language: str) -> None:
    read_squad(folder.examples_path(split, language), unique_ids=False)
