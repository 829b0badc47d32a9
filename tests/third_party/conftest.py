from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "third_party" / "fairseq"


def load(path, monkeypatch, name=None):
    """Imports a file outside any package, for the length of one test."""
    name = name or path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder():
    return FOLDER


@pytest.fixture
def edits(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return load(FOLDER / "edits.py", monkeypatch)


@pytest.fixture
def backend(edits, monkeypatch):
    pytest.importorskip("setuptools")
    return load(FOLDER / "backend.py", monkeypatch)


@pytest.fixture
def stand_in(monkeypatch):
    return lambda name: load(FOLDER / "stand_ins" / f"{name}.py", monkeypatch, f"stand_in_{name}")
