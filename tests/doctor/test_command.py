"""The text and the JSON of `fairseq-amber doctor`, whatever is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairseq_amber.cli import main
from fairseq_amber.doctor import command, findings

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from fairseq_amber.cli import main; sys.exit(main(sys.argv[1:]))"


def without_packages(*arguments, **options):
    """Runs the command where nothing but Python is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-S", "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        **options,
    )


def test_the_command_prints_and_writes_what_it_finds(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(findings, "examine", lambda: found)
    out = tmp_path / "doctor.json"
    assert main(["doctor", "--json", str(out)]) == 0
    assert json.loads(out.read_text()) == found
    text, err = capsys.readouterr()
    assert text.startswith("training: can run\n") and err == ""
    assert f"torch          {found['packages']['torch']['version']}\n" in text
    assert "\na bug report should hold\n" in text
    assert main(["doctor", "--json", str(out / "x")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_with_nothing_but_python():
    done = without_packages("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("training: cannot run: torch is not installed: pip install")
    for name in ("torch", "fairseq", "numpy", "tqdm"):
        assert f"\n  {name:14} not installed\n" in done.stdout
    assert "\nfairseq: not installed, or broken; " in done.stdout


def test_packages_that_break_are_told_of_with_their_cause(packages, broken, monkeypatch, capsys):
    monkeypatch.setattr(findings, "_PACKAGES", {"seqeval": (), "geomloss": ()})
    monkeypatch.setattr(findings, "_fairseq", lambda *_: None)
    for name, kind in (("seqeval", "raises"), ("geomloss", "dies")):
        packages(name, broken[kind][0])
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert ", cannot be imported: RuntimeError: two\n" in text
    assert ", cannot be imported: the import ended the process (exit status 3)\n" in text


def test_training_needs_all_of_the_plugin(packages, monkeypatch, capsys):
    monkeypatch.setattr(findings, "_PACKAGES", {})
    monkeypatch.setattr(findings, "_fairseq", lambda *_: None)
    packages("fairseq", "raise ImportError('libcudart.so.12')")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.startswith("training: cannot run: fairseq in ")


def test_what_limits_an_unedited_fairseq():
    cpp = {"fairseq.libbleu": "missing", "fairseq.data.data_utils_fast": "compiled"}
    answers = {"fairseq": {"cpp": cpp}}
    packages = {"fairseq": {"version": "0.12.2"}, "numpy": {"version": "1.26.4"}}
    text = "\n".join(command._fairseq_lines(findings._fairseq(answers, packages)))
    assert "a stock one" in text and "pip install 'numpy<1.24'" in text
    assert "C++ parts not compiled (fairseq.libbleu): commands that need them fail" in text
    # all that the docs say of it
    docs = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    table = docs.split("| limit of an unedited 0.12.2 | do |")[1].split("\n\n")[0]
    limits = [line for line in table.splitlines() if line.count("|") > 2 and "---" not in line]
    assert len(limits) == len(findings._fairseq(answers, packages)["limits"])

    packages["numpy"]["version"] = "1.23.5"
    assert "numpy" not in "\n".join(findings._fairseq(answers, packages)["limits"])
    packages["fairseq"]["version"] = "0.12.2+amber1"
    edited = {"fairseq": {"cpp": {"fairseq.data.data_utils_fast": "stand-in"}}}
    lines = command._fairseq_lines(findings._fairseq(edited, packages))
    assert lines[0] == "fairseq: of third_party/fairseq, with nothing known to limit it"
    assert "slower Python versions are used instead" in lines[1] and len(lines) == 2


def test_extras_that_lack_something_come_with_a_command(requires):
    lines = [
        "torch>=1.12",
        'POT ; extra == "ot"',
        "faiss-cpu; extra == 'mine'",
        'transformers[torch]>4; python_version > "3" and extra == "convert"',
        'tokenizers; python_version >= "3" and extra == "convert"',
        'tokenizers<0.21; python_version < "3" and extra == "convert"',
    ]
    missing = requires(lines, {"faiss-gpu", "POT"})
    assert missing == {
        "": ["torch>=1.12"],
        "ot": [],
        "mine": [],  # there is faiss for GPUs
        "convert": ["transformers[torch]>4", "tokenizers"],
    }
    assert command._extra_lines(missing) == [
        "extras",
        "  always needed  missing: pip install 'torch>=1.12'",
        "  ot             complete",
        "  mine           complete",
        "  convert        missing: pip install 'transformers[torch]>4' tokenizers",
    ]


def test_nothing_private_is_told(tmp_path, monkeypatch):
    (tmp_path / "amber").mkdir()
    (tmp_path / "amber" / "fairseq_amber").symlink_to(ROOT / "fairseq_amber")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/amber")
    monkeypatch.setenv("API_TOKEN", "secret-of-somebody")
    out = tmp_path / "amber" / "found.json"
    done = subprocess.run(
        [sys.executable, "-S", "-c", COMMAND, "doctor", "--json", str(out)],
        capture_output=True,
        text=True,
        cwd=tmp_path / "amber",
    )
    for text in (done.stdout, out.read_text()):
        assert "~/amber/fairseq_amber" in text and "=~/amber" in text.replace('": "', "=")
        assert str(tmp_path) not in text
        assert "secret-of-somebody" not in text


GPU = {"name": "NVIDIA H100 80GB HBM3", "memory": 85_000_000_000, "capability": "9.0"}
DEVICES = {"cores": 8, "usable_cores": 4, "memory": 64_000_000_000, "driver": "580.1", "threads": 4}


@pytest.mark.parametrize(
    "devices, expected",
    [
        (
            {"built_for_cuda": "13.0", "built_for_rocm": None, "cuda": [GPU], "bf16": True},
            [
                "NVIDIA driver 580.1; torch is built for CUDA 13.0",
                "GPU 0: NVIDIA H100 80GB HBM3, 85.0 GB, compute capability 9.0",
                "bfloat16 on the GPU: yes",
            ],
        ),
        (
            {"built_for_cuda": None, "built_for_rocm": None, "cuda": [], "bf16": False},
            [
                "NVIDIA driver 580.1; torch is built for the CPU alone",
                "torch sees no GPU: take a build of torch for CUDA (pytorch.org) or a newer "
                "driver, and look at CUDA_VISIBLE_DEVICES",
            ],
        ),
        (
            {"error": "RuntimeError: no kernel"},
            ["NVIDIA driver 580.1", "torch reports no device: RuntimeError: no kernel"],
        ),
    ],
)
def test_devices(devices, expected):
    lines = command._device_lines({**DEVICES, **devices})
    assert lines == [
        "4 of 8 CPU cores usable, torch uses 4, 64.0 GB of memory",
        *expected,
    ]
