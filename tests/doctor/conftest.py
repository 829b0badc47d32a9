"""Packages that break in every way, and the findings for this installation."""

import importlib.metadata

import pytest

from fairseq_amber.doctor import findings

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
