"""Stand-ins of the programs that recipes call, which write down what they are given."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Writes its arguments down, and what a recipe looks for afterwards.
FAIRSEQ_TRAIN = """#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$CALLS"; printf '\\n' >>"$CALLS"
"""
FAIRSEQ_AMBER = """#!/usr/bin/env bash
case $1 in
  user-dir) echo /plugin ;;
  prepare) printf '%s\\0' "$@" >>"$CALLS.prepare"; printf '\\n' >>"$CALLS.prepare"
    mkdir -p "$3/parallel/de-en" "$3/parallel/fr-en"; touch "$3/dict.txt" ;;
  prepare-task) printf '%s\\0' "$@" >>"$CALLS.prepare"; printf '\\n' >>"$CALLS.prepare"
    mkdir -p "$3"; printf '{\\n "task": "%s",\\n "kind": "tagging"\\n}\\n' "$2" >"$3/task.json" ;;
  convert) mkdir -p "$3" ;;
  evaluate) printf '%s\\0' "$@" >>"$CALLS.evaluate"; printf '\\n' >>"$CALLS.evaluate" ;;
esac
"""
PYTHON = """#!/usr/bin/env bash
case "$*" in
  -c*max\\(1*) echo 1 ;;
  -c*device_count*) echo 0 ;;
  -*[!c]*) [ "$1" = -c ] || { cat >/dev/null; echo 64; } ;;
esac
"""


def arguments(path):
    """Of each call of a stand-in, in order."""
    return [line.split("\0")[:-1] for line in path.read_text().split("\n")[:-1]]


def value(call, flag):
    """What counts: the last one, as argparse has it."""
    return [after for before, after in zip(call, call[1:]) if before == flag][-1]


@pytest.fixture
def recipe(tmp_path):
    """``(name, *arguments, **variables) ->`` the calls of fairseq-train; the recipe must succeed
    unless ``status`` says otherwise, which is then returned with what it said."""
    root = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "scripts" / "setup.sh").write_text("")
    programs = root / ".venv" / "bin"
    programs.mkdir(parents=True)
    stand_ins = {"fairseq-train": FAIRSEQ_TRAIN, "fairseq-amber": FAIRSEQ_AMBER, "python": PYTHON}
    for name, text in stand_ins.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    calls = tmp_path / "calls"

    def run(name, *given, status=0, **variables):
        known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        done = subprocess.run(
            ["bash", f"scripts/{name}.sh", *map(str, given)],
            env={**known, "CALLS": str(calls), **variables},
            cwd=root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return arguments(calls) if status == 0 else done.stderr

    run.calls, run.root = calls, root
    return run


@pytest.fixture
def task(tmp_path):
    """A folder of XNLI, as far as the recipe looks at it."""
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "task.json").write_text(
        json.dumps({"task": "xnli", "kind": "classification"}, indent=1)
    )
    (tmp_path / "model.pt").touch()
    return folder


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw text"
    folder.mkdir()
    for language in ("de", "en"):
        (folder / f"train.de-en.{language}").write_text("".join(f"{n}\n" for n in range(50)))
    return folder
