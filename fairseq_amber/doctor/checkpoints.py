"""Checks checkpoints of ``fairseq-train``."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.errors import UserError
from fairseq_amber.files.checkpoint_folder import check_checkpoint, checkpoints_of


def inspect_checkpoints(path: Path) -> Inspection:
    """Checks a checkpoint, or every checkpoint of a folder."""
    inspection = Inspection(path, "a folder of checkpoints" if path.is_dir() else "a checkpoint")
    for file in checkpoints_of(path) if path.is_dir() else [path]:
        inspection.check("checkpoints", _check, file)
    return inspection


def _check(path: Path) -> None:
    try:
        check_checkpoint(path)
    except UserError as error:
        raise UserError(
            f"{error}; take another checkpoint of its run, or fetch the file again"
        ) from None
