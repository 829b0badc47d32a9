"""Reads and writes JSON objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError


def read_json(path: Path) -> dict[str, Any] | None:
    """The object that a file holds; None where there is no such file.

    Raises:
        UserError: it holds something else.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object; fetch it again")
    return content


def json_file(content: Any) -> bytes:
    """The content of a file, as people read it."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
