"""prepare.json records what a data folder was made from and which of its corpora are finished."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import parse_json, read_bytes
from fairseq_amber.files.names import check_name, check_relative
from fairseq_amber.preparation.corpus.manifest_form import is_manifest

MANIFEST_NAME = "prepare.json"
PARTIAL_NAME = ".partial"
LOCK_NAME = ".amber-lock"  # of ``files.locks``, in a folder that is a disk of its own
_FORMAT = 1


@dataclass
class Manifest:
    """The state of a data folder, or the state that a run is asked for.

    Attributes:
        vocabulary: {"settings", "text"} with which it was learnt; empty if it was given.
        digests: the digest of each of the vocabulary's files, by name.
        filters: the settings of the filters.
        corpora: for each corpus by name: ``sources`` (digests by file name), ``outputs`` (sizes
            in bytes by path), ``output_digests`` (``files.digest.file_digest`` by path; folders of
            earlier versions lack them) and ``counts``.
        format: the version of the file.
        word_boundaries: the kind of words that is kept beside the tokens; None for none.
    """

    vocabulary: dict[str, Any]
    digests: dict[str, str]
    filters: dict[str, Any]
    corpora: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = _FORMAT
    word_boundaries: str | None = None

    def encode(self) -> bytes:
        """Returns the content of the file."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode("utf-8")

    def is_finished(self, name: str, folder: Path) -> bool:
        """Tells whether the files of a corpus are recorded and all exist with their sizes."""
        return name in self.corpora and all(
            (folder / path).is_file() and (folder / path).stat().st_size == size
            for path, size in self.corpora[name]["outputs"].items()
        )

    def conflict(self, wanted: Manifest) -> str | None:
        """Tells why a run cannot add to this folder.

        Args:
            wanted: the state that the run is asked for.

        Returns:
            What the folder was prepared with, where that differs from the run; None if both agree.
        """
        if wanted.digests:
            if wanted.digests != self.digests:
                return "another vocabulary than the one given"
        elif not self.vocabulary:
            return "a vocabulary that was given (go on with it: --tokenizer DATA_BIN)"
        else:
            learnt, now = self.vocabulary, wanted.vocabulary
            if learnt["settings"] != now["settings"]:
                return _changes(learnt["settings"], now["settings"])
            if learnt["text"] != now["text"]:
                files = _differing(learnt["text"], now["text"])
                return (
                    f"a vocabulary learnt from other text (differs: {', '.join(files)}; to keep "
                    "that vocabulary: --tokenizer DATA_BIN)"
                )
        if self.filters != wanted.filters:
            return _changes(self.filters, wanted.filters)
        if self.word_boundaries != wanted.word_boundaries:
            kinds = self.word_boundaries, wanted.word_boundaries
            named = [f"--word-boundaries {kind}" for kind in kinds]
            return ", not ".join(
                name if kind else "no --word-boundaries" for name, kind in zip(named, kinds)
            )
        return None

    def changed_corpora(self, wanted: Manifest) -> list[str]:
        """Returns the names of the corpora that both manifests have and whose text differs."""
        return [
            name
            for name, corpus in wanted.corpora.items()
            if name in self.corpora and self.corpora[name]["sources"] != corpus["sources"]
        ]


def read_manifest(folder: Path) -> Manifest | None:
    """Reads the state of a data folder.

    Returns:
        The state; None if nothing was prepared yet.

    Raises:
        UserError: the folder is a file or holds something else, or its manifest is damaged or names
            files outside of the folder.
    """
    path = folder / MANIFEST_NAME
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder to write to")
    if not path.exists():
        if folder.exists() and set(os.listdir(folder)) - {PARTIAL_NAME, LOCK_NAME}:
            raise UserError(
                f"{folder} holds files that fairseq-amber prepare did not make (it has no "
                f"{MANIFEST_NAME}); name a new or an empty folder"
            )
        return None
    error_message = f"{path} is damaged or of another version; remove {folder} and run again"
    if not path.is_file():  # reading a pipe would not end
        raise UserError(error_message)
    content = parse_json(read_bytes(path), error_message)
    if not is_manifest(content) or content["format"] != _FORMAT:
        raise UserError(error_message)
    for name in content["digests"]:
        check_name(name, "file", path)
    for corpus in content["corpora"].values():
        for name in corpus["outputs"]:
            check_relative(name, "file", path)
    return Manifest(**content)


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(
        f"--{key.replace('_', '-')} {before.get(key)}, not {now.get(key)}"
        for key in _differing(before, now)
    )
