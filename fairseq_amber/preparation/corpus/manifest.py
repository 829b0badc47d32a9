"""prepare.json: what a data folder was made from, and which of its corpora are finished."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError

MANIFEST_NAME = "prepare.json"
PARTIAL_NAME = ".partial"
_FORMAT = 1


@dataclass
class Manifest:
    """The state of a data folder, or what a run is going to make of it.

    vocabulary: how it was learnt, {"settings", "text"}; empty where it was given.
    digests: of the vocabulary's files by name. filters: the settings of the filters.
    corpora: by name: sources (digest by file name), outputs (bytes by path), counts.
    """

    vocabulary: dict[str, Any]
    digests: dict[str, str]
    filters: dict[str, Any]
    corpora: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = _FORMAT

    def encode(self) -> bytes:
        """As the file holds it."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode("utf-8")

    def is_finished(self, name: str, folder: Path) -> bool:
        """Whether the files of a corpus are recorded and all there."""
        return name in self.corpora and all(
            (folder / path).is_file() and (folder / path).stat().st_size == size
            for path, size in self.corpora[name]["outputs"].items()
        )

    def conflict(self, wanted: Manifest) -> str | None:
        """Why a run cannot add to this folder: what it was prepared with, and now is not."""
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
        return None

    def changed_corpora(self, wanted: Manifest) -> list[str]:
        """Names of the corpora in both whose text is not the same."""
        return [
            name
            for name, corpus in wanted.corpora.items()
            if name in self.corpora and self.corpora[name]["sources"] != corpus["sources"]
        ]


def read_manifest(folder: Path) -> Manifest | None:
    """The state of a data folder; None where nothing was prepared yet.

    Raises:
        UserError: the folder is a file, holds something else, or its manifest is broken.
    """
    path = folder / MANIFEST_NAME
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder to write to")
    if not path.exists():
        if folder.exists() and set(os.listdir(folder)) - {PARTIAL_NAME}:
            raise UserError(
                f"{folder} holds files that fairseq-amber prepare did not make (it has no "
                f"{MANIFEST_NAME}); name a new or an empty folder"
            )
        return None
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        manifest = None
    if manifest is None or manifest.format != _FORMAT:
        raise UserError(f"{path} is damaged or of another version; remove {folder} and run again")
    return manifest


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    return ", ".join(
        f"--{key.replace('_', '-')} {before.get(key)}, not {now.get(key)}"
        for key in _differing(before, now)
    )
