"""Records how a file of word alignments was made: X.align.settings beside X.align.

The record goes into the JSON of the alignments' score. It holds {"digest": digest of the
alignments, "settings": {"checkpoint": ..., "method": ..., ...}}, and is ignored once the alignments
change.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Mapping

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import parse_json, read_bytes, write_json


def settings_path(alignments: Path) -> Path:
    """Returns the path of the record, X.align.settings for X.align."""
    return alignments.with_name(alignments.name + ".settings")


def write_settings(alignments: Path, settings: Mapping[str, Any]) -> None:
    """Writes the record beside the alignments, which exist already."""
    content = {"digest": _digest(alignments), "settings": settings}
    write_json(settings_path(alignments), content)


def read_settings(alignments: Path) -> dict[str, Any] | None:
    """Reads the settings that ``write_settings`` has recorded.

    Returns:
        The settings; None if there is no record, or the alignments have changed since it was made.

    Raises:
        UserError: the record cannot be read, or is damaged.
    """
    path = settings_path(alignments)
    if not path.exists():
        return None
    damaged = f"{path} does not say what made {alignments.name}; align again, or delete it"
    content = parse_json(read_bytes(path), damaged)
    try:
        digest, settings = content["digest"], dict(content["settings"])
    except (ValueError, TypeError, KeyError):
        raise UserError(damaged) from None
    return settings if digest == _digest(alignments) else None


def merged(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merges the settings of several files.

    Args:
        settings: the settings of each file, by the file's name.

    Returns:
        For each setting the value that all files share, or else the values by the files' names.
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for each in settings.values() for key in each):
        values = {name: each.get(key) for name, each in settings.items()}
        first, *others = values.values()
        found[key] = first if all(value == first for value in others) else values
    return found


def _digest(path: Path) -> str:
    """Returns the first 16 hexadecimal digits of SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:16]
