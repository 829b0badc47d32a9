"""Predictions as XTREME's evaluate.py reads them: one folder a task, one file a language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fairseq_amber.files.writing import atomic_writer

_FOLDERS = {"pos": "udpos", "ner": "panx", "squad": "xquad"}
_SPLITS = {"valid": "dev"}


def submission_path(folder: str | Path, task: str, split: str, language: str) -> Path:
    """Such as FOLDER/udpos/test-de.tsv; XTREME's `dev` is our valid."""
    suffix = "json" if task in ("squad", "mlqa", "tydiqa") else "tsv"
    name = f"{_SPLITS.get(split, split)}-{language}.{suffix}"
    return Path(folder) / _FOLDERS.get(task, task) / name


def n_best_path(path: Path) -> Path:
    """Where the n best answers lie beside the best ones: xquad/nbest-test-de.json."""
    return path.with_name(f"nbest-{path.name}")


def write_predictions(path: Path, predicted: Any) -> None:
    """Writes the predictions of one language.

    Args:
        predicted: the labels of each sentence's words (one a line, an empty line between
            sentences), a label for each pair (one a line), or answers by question id (JSON).

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_writer(path) as file:
        if isinstance(predicted, dict):
            json.dump(predicted, file, indent=1)  # in ASCII: evaluate.py names no encoding
            file.write("\n")
            return
        sentences = (entry if isinstance(entry, str) else "\n".join(entry) for entry in predicted)
        between = "\n" if predicted and isinstance(predicted[0], str) else "\n\n"
        file.write(between.join(sentences) + "\n")
