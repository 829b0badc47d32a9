"""Finds the model that a path on the command line stands for."""

from __future__ import annotations

import re
from pathlib import Path

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.names import check_name

CONFIG_NAME = "config.json"
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_FILES = (".pt", ".bin", ".safetensors", ".json")
# Where sentence-transformers put the encoder before 2021, beside modules.json.
_OLD_ENCODER = "0_Transformer"


def find_source(source: Path) -> Path:
    """Returns the folder or file of a model.

    Args:
        source: a folder of Hugging Face or fairseq or a file in it, a checkpoint, or a folder
            ``models--ORGANISATION--NAME`` in the cache of the Hugging Face Hub.

    Raises:
        UserError: there is no such file, or the cache holds no complete model.
    """
    if not source.exists():
        raise UserError(_missing(source))
    if (source / "snapshots").is_dir() and not (source / CONFIG_NAME).is_file():
        return _snapshot(source)
    return source


def is_model(source: Path) -> bool:
    """Returns whether a path names a checkpoint or a folder of Hugging Face, which have a
    vocabulary of their own, and neither a tokenizer alone nor a data folder."""
    if source.is_file():
        return source.suffix == ".pt"
    return source.is_dir() and (encoder_folder(find_source(source)) / CONFIG_NAME).is_file()


def encoder_folder(folder: Path) -> Path:
    """Returns the part of a folder of sentence-transformers that holds the encoder."""
    old = folder / _OLD_ENCODER
    is_old = not (folder / CONFIG_NAME).is_file() and (old / CONFIG_NAME).is_file()
    return old if is_old else folder


def _missing(source: Path) -> str:
    name = str(source)
    if _HUB_NAME.fullmatch(name) and source.suffix not in _FILES:
        return (
            f"there is no folder {name} here, and nothing is downloaded; if this is a name on the "
            f"Hugging Face Hub, fetch it first: hf download {name} --local-dir {name}"
        )
    return f"cannot read {name}: No such file or directory"


def _snapshot(cached: Path) -> Path:
    reference = cached / "refs" / "main"
    if reference.is_file():
        revision = read_bytes(reference).decode("utf-8", "replace").strip()
        found = [cached / "snapshots" / check_name(revision, "revision", reference)]
    else:
        found = sorted(cached.joinpath("snapshots").iterdir())
    if len(found) != 1 or not found[0].is_dir():
        raise UserError(
            f"{cached} is a folder of the Hub's cache but not of one complete model; name one of "
            f"the folders in {cached / 'snapshots'}, or download the model again"
        )
    return found[0]
