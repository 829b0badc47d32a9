"""What is said where fairseq or torch is missing, broken or not what it seems."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import subprocess
import sys

import pytest

from fairseq_amber import environment
from fairseq_amber.errors import UserError
from forked_programs import forked_python


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Makes packages in a folder that comes first on the path; unloads the real fairseq."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("fairseq", "apex"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name, text="", *subpackages):
        for folder in [tmp_path / name, *(tmp_path / name / sub for sub in subpackages)]:
            folder.mkdir()
        if text is not None:
            (tmp_path / name / "__init__.py").write_text(text, encoding="utf-8")
        return tmp_path / name

    return make


@pytest.fixture
def torch_version(monkeypatch):
    real = importlib.metadata.version
    versions = {}

    def version(name):
        if name not in versions:
            return real(name)
        if versions[name] is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return lambda value: versions.update(torch=value)


def complaint():
    with pytest.raises(UserError) as failure:
        environment.require_fairseq()
    message = str(failure.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.13.0+cpu", (2, 13)), ("1.12.1", (1, 12)), ("2.6.0a0+git1234", (2, 6))],
)
def test_version_tuple(version, expected):
    assert environment.version_tuple(version) == expected


def test_a_working_fairseq_is_returned(packages):
    packages("fairseq", "__version__ = '0.12.2'")
    assert environment.require_fairseq().__version__ == "0.12.2"


def test_no_fairseq(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(environment.importlib, "import_module", import_module)
    message = complaint()
    assert message.startswith("fairseq is not installed: ")
    assert "third_party/fairseq" in message or "fairseq==0.12.2" in message


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "raise ValueError('mutable default for field common is not allowed')",
            "(ValueError: mutable default for field common is not allowed)",
        ),
        ("import not_there_at_all", "(ModuleNotFoundError: No module named 'not_there_at_all')"),
        ("raise RuntimeError('one\\ntwo')", "(RuntimeError: one)"),
    ],
)
def test_a_broken_fairseq_is_named_with_the_cause(packages, text, cause):
    folder = packages("fairseq", text)
    message = complaint()
    assert message.startswith(f"fairseq in {folder}")
    assert cause in message
    assert "docs/installation.md" in message


def test_a_folder_in_the_way(packages, torch_version, monkeypatch):
    folder = packages("fairseq", None)
    torch_version("2.0")
    monkeypatch.setattr(sys, "path", [str(folder.parent)])
    assert f"fairseq is not installed, or hidden by the folder {folder}: " in complaint()


def test_the_apex_of_pypi(packages):
    folder = packages("apex", "raise SystemError('never run')", "lib", "models")
    packages("fairseq", "__version__ = '0.12.2'")
    message = complaint()
    assert f"{folder} is PyPI's apex" in message
    assert "pip uninstall apex" in message


def test_the_apex_of_nvidia(packages):
    packages("apex", "", "normalization", "optimizers")
    packages("fairseq", "__version__ = '0.12.2'")
    assert environment.require_fairseq()


def test_an_old_torch(torch_version):
    torch_version("1.10.2+cu113")
    assert complaint() == (
        "torch 1.10.2+cu113 is too old, 1.12 or newer is needed: pip install 'torch>=1.12'"
    )


def test_no_torch(torch_version):
    torch_version(None)
    assert complaint().startswith("torch is not installed: ")


def test_importing_the_module_imports_neither_torch_nor_fairseq():
    code = "import sys, fairseq_amber.environment; print({'torch', 'fairseq'} & {*sys.modules})"
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output == "set()\n"


STOCK = """
import sys
import torch.distributed as dist

import fairseq
from fairseq.distributed import utils
from fairseq_amber.environment import patch_stock_fairseq

fairseq.__version__ = "0.12.2"
patch_stock_fairseq()
assert utils._broadcast_object_slow.__module__ == "fairseq_amber.environment"

rank, rendezvous = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method="file://" + rendezvous, rank=rank, world_size=2)
sent = {"kind": slice(1, 2), "n": 3}
received = utils.broadcast_object(sent if rank == 0 else None, 0, dist.group.WORLD)
assert received == sent, received
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.distributed
def test_stock_fairseq_broadcasts_what_weights_only_refuses(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("fairseq")
    if environment.version_tuple(torch.__version__) < (2, 6):
        pytest.skip("nothing to patch before torch 2.6")
    processes = [
        subprocess.Popen(
            [forked_python(), "-c", STOCK, str(rank), str(tmp_path / "rendezvous")],
            text=True,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs):
        assert process.returncode == 0, errors


def test_patching_lets_a_namespace_through_and_leaves_an_edited_fairseq_alone():
    torch = pytest.importorskip("torch")
    utils = pytest.importorskip("fairseq.distributed.utils")
    import fairseq

    before = utils._broadcast_object_slow
    environment.patch_stock_fairseq()
    if "+amber" in fairseq.__version__:
        assert utils._broadcast_object_slow is before
    buffer = io.BytesIO()
    torch.save(argparse.Namespace(x=1), buffer)
    buffer.seek(0)
    assert torch.load(buffer).x == 1
