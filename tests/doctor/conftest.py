"""Packages that break in every way, the findings for this installation, and a folder of text."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from fairseq_amber.doctor import findings
from fairseq_amber.preparation.corpus.pipeline import prepare
from fairseq_amber.preparation.corpus.settings import VocabularySettings

BROKEN = {
    "raises": ("raise RuntimeError('two\\nlines')", "RuntimeError: two"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "dies": ("import os; os._exit(3)", "the import ended the process (exit status 3)"),
    "crashes": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "the import ended the process (signal 9)",
    ),
    "lacks": ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder on the path; makes packages in it."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def make(name, text=""):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(text, encoding="utf-8")
        return folder / name

    return make


@pytest.fixture(scope="module")
def found():
    """Of the installation that runs the tests."""
    return findings.examine()


@pytest.fixture
def broken():
    """The code of packages that break, and what is said of each."""
    return BROKEN


@pytest.fixture
def requires(monkeypatch):
    """States requirements and what is installed; returns what is found to be missing."""

    def state(lines, installed):
        monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)

        def version(name):
            if name not in installed:
                raise importlib.metadata.PackageNotFoundError(name)
            return "1"

        monkeypatch.setattr(importlib.metadata, "version", version)
        return findings._requirements()

    return state


LINES = {
    "train.de-en.de": "der Hund schläft\nein rotes Haus\nwir sehen den See\nguten Morgen\n",
    "train.de-en.en": "the dog sleeps\na red house\nwe see the lake\ngood morning\n",
    "valid.en": "the dog sees the lake\nthe red morning\n",
}


@pytest.fixture(scope="session")
def whole_folder(tmp_path_factory):
    """A folder of ``fairseq-amber prepare`` with kept words."""
    raw = tmp_path_factory.mktemp("raw")
    for name, text in LINES.items():
        (raw / name).write_text(text, encoding="utf-8")
    folder = raw.parent / "whole-data-bin"
    small = VocabularySettings(vocab_size=60)
    prepare(raw, folder, vocabulary=small, word_boundaries="spaces", workers=1)
    return folder


@pytest.fixture
def data_bin(whole_folder, tmp_path):
    """A copy of the folder, to be damaged."""
    return Path(shutil.copytree(whole_folder, tmp_path / "data-bin"))


@pytest.fixture
def flip():
    """``(path, place, bits=1)`` flips bits of the byte at a place of a file."""

    def change(path, place, bits=1):
        content = bytearray(path.read_bytes())
        content[place] ^= bits
        path.write_bytes(content)

    return change
