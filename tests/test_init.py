"""The names of the package itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fairseq_amber


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_the_package_imports_none_of_its_rooms():
    loaded = run("import sys, fairseq_amber; print(*sys.modules)").split()
    assert [name for name in loaded if name.startswith("fairseq_amber")] == ["fairseq_amber"]
    assert not {"torch", "numpy", "fairseq"} & set(loaded)


def test_the_public_names_are_imported_when_they_are_used():
    from fairseq_amber.inference.encoder import Encoder

    assert fairseq_amber.Encoder is Encoder
    assert fairseq_amber.load == Encoder.load
    from fairseq_amber import load

    assert load == Encoder.load


def test_the_public_names_need_no_fairseq_until_they_load_a_checkpoint():
    code = "import sys, fairseq_amber; fairseq_amber.load; print('fairseq' in sys.modules)"
    assert run(code) == "False\n"


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="module 'fairseq_amber' has no attribute 'lode'"):
        fairseq_amber.lode  # noqa: B018


def test_setup_takes_the_version_from_the_package():
    pytest.importorskip("setuptools")
    root = Path(fairseq_amber.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=root, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == fairseq_amber.__version__, done.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+", fairseq_amber.__version__)
