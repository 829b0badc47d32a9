"""Checks checkpoints of ``fairseq-train``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from fairseq_amber.doctor.inspection import Inspection
from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import read_checkpoint


def inspect_checkpoints(path: Path) -> Inspection:
    """Checks a checkpoint, or every checkpoint of a folder."""
    inspection = Inspection(path, "a folder of checkpoints" if path.is_dir() else "a checkpoint")
    for file in sorted(path.glob("checkpoint*.pt")) if path.is_dir() else [path]:
        inspection.check("checkpoints", _check_checkpoint, file)
    return inspection


def _check_checkpoint(path: Path) -> None:
    read_checkpoint(path)
    if not zipfile.is_zipfile(path):
        return  # torch < 1.6 wrote no checksums
    with zipfile.ZipFile(path) as records:
        try:
            damaged = records.testzip()
        except (zipfile.BadZipFile, OSError):
            damaged = "a record"
    if damaged is not None:
        raise UserError(
            f"{path} is damaged: {damaged} does not fit its checksum; take another checkpoint of "
            "the run, or fetch the file again"
        )
