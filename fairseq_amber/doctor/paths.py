"""Finds out what a folder or a file is, and checks it."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.errors import UserError
from fairseq_amber.files.checkpoint_folder import checkpoints_of


def inspect(path: Path) -> Inspection:
    """Checks a folder of binarised text, a prepared task, a checkpoint or a folder of checkpoints.

    Raises:
        UserError: the path is none of these, or a package is missing that the check needs.
    """
    try:
        if path.is_file() or checkpoints_of(path):
            from fairseq_amber.doctor.checkpoints import inspect_checkpoints

            return inspect_checkpoints(path)
        if (path / "task.json").is_file():
            from fairseq_amber.doctor.task_folder import inspect_task

            return inspect_task(path)
        if any((path / name).is_file() for name in ("dict.txt", "prepare.json")):
            from fairseq_amber.doctor.corpus_folder import inspect_corpus

            return inspect_corpus(path)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the package {error.name} is missing, which the check of {path} needs; fairseq-amber "
            "doctor lists all that is missing"
        ) from None
    if not path.exists():
        raise UserError(f"cannot read {path}: No such file or directory")
    raise UserError(
        f"{path} is neither a folder of fairseq-amber prepare (with dict.txt) or of prepare-task "
        "(with task.json) nor a checkpoint or a folder of checkpoints; give one of these, or "
        "nothing to check the installation"
    )
