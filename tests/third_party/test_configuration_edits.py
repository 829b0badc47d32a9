"""The edits of fairseq's configuration, seen at work; each test is named after its edit."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from forked_programs import forked_python

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq.dataclass import FairseqDataclass  # noqa: E402
from fairseq.dataclass.configs import FairseqConfig  # noqa: E402


def requirements():
    return importlib.metadata.requires("fairseq")


def test_hashable_configs():
    @dataclass
    class Inner(FairseqDataclass):
        x: int = 1

    @dataclass
    class Outer(FairseqDataclass):
        inner: Inner = Inner(x=2)  # noqa: RUF009

    assert Outer().inner.x == 2
    assert Inner(x=2) == Inner(x=2)
    assert FairseqConfig().common.seed == 1


def test_hydra_pin():
    assert any(re.match(r"hydra-core(?=.*>=1\.3\.2)(?=.*<1\.4)", line) for line in requirements())


def test_omegaconf_pin():
    assert any(re.match(r"omegaconf(?=.*>=2\.3)(?=.*<2\.4)", line) for line in requirements())


COMPOSE = """
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

parser = options.get_training_parser("masked_lm")
line = "data-bin --arch roberta_base --max-update 1 --cpu --lr 0.5"
args = options.parse_args_and_arch(parser, line.split())
config = convert_namespace_to_omegaconf(args)
print(config.optimization.lr, config.common.all_gather_list_size)
"""


@pytest.fixture(scope="module")
def composing():
    """A process that turns a command line into a configuration, with all warnings on."""
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", COMPOSE], text=True, capture_output=True
    )


def composes_in_silence(composing):
    assert composing.returncode == 0, composing.stderr
    assert composing.stdout == "[0.5] 16384\n"
    assert "hydra" not in composing.stderr.lower()
    assert "config" not in composing.stderr


test_hydra_compose_import = composes_in_silence
test_hydra_initialize = composes_in_silence
test_hydra_compose = composes_in_silence
test_hydra_warnings = composes_in_silence
test_hydra_warnings_import = composes_in_silence


def test_hydra_train(tmp_path):
    result = subprocess.run(
        [forked_python(), "-m", "fairseq_cli.hydra_train", "--cfg", "job", "common.seed=7"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    assert "seed: 7" in result.stdout
    assert "all_gather_list_size: 16384" in result.stdout
    assert "version_base" not in result.stderr
