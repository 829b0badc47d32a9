"""The edits of fairseq's build, seen at work; each test is named after its edit."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from pathlib import Path

import pytest

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

PACKAGE = Path(fairseq.__file__).parent


def requirements():
    return importlib.metadata.requires("fairseq")


def test_no_audio():
    assert not any(line.startswith("torchaudio") for line in requirements())


def test_no_build_tools():
    assert not any(re.match(r"(cffi|cython)\b", line, re.I) for line in requirements())


def test_torch_bound():
    assert "torch>=1.13" in requirements()


def test_no_torch_extensions():
    assert importlib.util.find_spec("fairseq.libnat") is None
    assert importlib.util.find_spec("alignment_train_cpu_binding") is None


def test_compiler_is_optional(folder):
    for stand_in in (folder / "stand_ins").glob("*.py"):
        installed = PACKAGE / "data" / stand_in.name
        assert installed.read_text(encoding="utf-8") == stand_in.read_text(encoding="utf-8")


def test_version():
    assert fairseq.__version__ == importlib.metadata.version("fairseq") == "0.12.2+amber1"
