"""Reads and writes JSON objects, in UTF-8."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.git_lfs import check_no_pointer
from fairseq_amber.files.writing import atomic_writer


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns the JSON object that a file holds; None if there is no such file.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    if not path.is_file():
        return None
    return parse_json(
        read_bytes(path), f"{path} is damaged: it is not a JSON object; fetch it again"
    )


def parse_json(data: bytes, error_message: str) -> dict[str, Any]:
    """Returns the JSON object that the content of a file stands for.

    Args:
        data: the content of the file.
        error_message: the message of the error if the content is something else.

    Raises:
        UserError: the content is not UTF-8, not JSON, or not an object.
    """
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):  # thousands of brackets within each other
        content = None
    if not isinstance(content, dict):
        raise UserError(error_message)
    return content


def check_replaceable(path: str | Path, *keys: str) -> None:
    """Checks that a file to write is new, empty, or a JSON object like the one to write.

    A name given by mistake, such as that of a corpus or a dictionary, is so not lost.

    Args:
        path: the file to write.
        *keys: keys of which every such object has one.

    Raises:
        UserError: the file is another one.
    """
    if not os.path.isfile(path) or not os.path.getsize(path):
        return
    fault = f"cannot write {path}: it exists and holds something else; name another file"
    if not parse_json(read_bytes(Path(path)), fault).keys() & set(keys):
        raise UserError(fault)


def encode_json(content: Any) -> bytes:
    """Returns the content of a JSON file, indented and with non-ASCII characters as they are.

    A byte of a file's name that is no UTF-8 becomes JSON's escape of half a surrogate pair, which
    Python reads back as that byte.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def write_json(path: str | Path, content: Any) -> None:
    """Writes a JSON file, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    data = encode_json(content)
    with atomic_writer(path, binary=True) as file:
        file.write(data)


def read_bytes(path: Path) -> bytes:
    """Returns the content of a file.

    Raises:
        UserError: the file cannot be read, or is a pointer of Git LFS.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    check_no_pointer(data, path)
    return data
