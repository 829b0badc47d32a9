"""What made a file of word alignments: X.align.settings beside X.align, for the JSON of its score.

It holds {"digest": of the alignments, "settings": {"checkpoint": ..., "method": ..., ...}}.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Mapping

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_writer


def settings_path(alignments: Path) -> Path:
    """X.align.settings for X.align."""
    return alignments.with_name(alignments.name + ".settings")


def write_settings(alignments: Path, settings: Mapping[str, Any]) -> None:
    """Writes them beside the alignments, which are there already."""
    content = {"digest": _digest(alignments), "settings": settings}
    with atomic_writer(settings_path(alignments)) as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")


def read_settings(alignments: Path) -> dict[str, Any] | None:
    """What `write_settings` has written; None if it has not, or the alignments are others now.

    Raises:
        UserError: the file cannot be read or is something else.
    """
    path = settings_path(alignments)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest, settings = content["digest"], dict(content["settings"])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise UserError(
            f"{path} does not say what made {alignments.name}; align again, or delete it"
        ) from None
    return settings if digest == _digest(alignments) else None


def merged(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Those of several files, by name: a value that all share, or else {name: value}."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for each in settings.values() for key in each):
        values = {name: each.get(key) for name, each in settings.items()}
        first, *others = values.values()
        found[key] = first if all(value == first for value in others) else values
    return found


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:16]
