"""Small preparations, and what they leave."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.preparation.corpus.pipeline import Preparation, prepare
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings

SMALL = VocabularySettings(vocab_size=200)
FILTERS = FilterSettings(max_length=60, deduplicate=True)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_small(raw: Path, data_bin: Path, **arguments) -> Preparation:
    """Prepares a folder with a small vocabulary."""
    arguments = {"vocabulary": SMALL, "filters": FILTERS, "workers": 2, **arguments}
    return prepare(raw, data_bin, **arguments)
