"""A machine of stand-ins for scripts/setup.sh: Python, pip, uv, nvidia-smi, uname and df; and a
server for scripts/fetch_data.sh."""

import ast
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fetch_script import Fetch
from file_server import file_server
from recipe_stand_ins import raw, recipe, task  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
TORCH = next(line.split("==")[1] for line in CONSTRAINTS if line.startswith("torch=="))
GIGABYTE = 1024**2  # in df's blocks


def hear_signals() -> None:
    """What a background job or nohup ignores, bash could not trap."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Machine:
    """A checkout, the programs that setup.sh finds on its path, and what they are to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "a check out"
        self.bin = folder / "programs"
        self.venv = self.checkout / ".venv"
        self.bin.mkdir()
        for name in ("setup.py", "constraints.txt", "scripts/setup.sh", "scripts/setup_run.sh"):
            copy = self.checkout / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
        skip = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        fairseq = "third_party/fairseq"
        shutil.copytree(ROOT / fairseq, self.checkout / fairseq, ignore=skip)
        self.program("python3", f'exec "{sys.executable}" -S -E "{STAND_IN}" "$0" "$@"')
        self.system("Linux", "x86_64")
        self.program("nvidia-smi", "echo no driver; exit 9")
        self.disk(gigabytes=100)
        self.scenario()
        (folder / "stdout").touch()

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def system(self, name: str, machine: str) -> None:
        self.program("uname", f'[ "$1" = -s ] && echo {name} || echo {name} {machine}')

    def disk(self, gigabytes: float) -> None:
        blocks = int(gigabytes * GIGABYTE)
        self.program("df", f"echo Filesystem; echo /dev/x 1 1 {blocks} 1% /")

    def scenario(self, *rules: list, **answers: object) -> None:
        scenario = dict(answers, rules=rules, torch=TORCH)
        (self.folder / "scenario").write_text(repr(scenario))

    def environment(self, **more: str) -> dict:
        path = f"{self.bin}:/usr/bin:/bin"
        return dict(HOME=str(self.folder), PATH=path, STAND_IN=str(self.folder), **more)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        self.stdout = open(self.folder / "stdout", "w+")
        return subprocess.Popen(
            ["bash", "scripts/setup.sh", *arguments],
            cwd=self.checkout,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=self.stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=hear_signals,
        )

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """Everything that one run printed."""
        process = self.start(*arguments, **environment)
        _, errors = process.communicate(timeout=60)
        printed = (self.folder / "stdout").read_text() + errors
        assert process.returncode == status, printed
        # neither a Bash error, such as an unbound variable, nor a left-over
        assert "setup.sh: line" not in printed
        assert not (self.venv / "amber-tmp").exists()
        return printed

    def wait_for_child(self, process: subprocess.Popen) -> int:
        """Of a command that `waits`: its child process."""
        child = self.folder / "child"
        while not (child.exists() and child.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        return int(child.read_text())

    def calls(self, of: str = "torch") -> list:
        """What was asked of pip and uv, by commands that name ``of``."""
        file = self.folder / "calls.jsonl"
        calls = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        return [call["command"] for call in calls if of in call["command"]]

    def said_before(self, pattern: str) -> str:
        """What had been printed when the first command with that in it was run."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return next(c["said"] for c in map(json.loads, lines) if pattern in c["command"])

    def torch(self) -> str:
        return ast.literal_eval((self.venv / "installed").read_text())["torch"]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def web():
    with file_server() as server:
        yield server


@pytest.fixture
def fetch(web, tmp_path):
    """scripts/fetch_data.sh, which fetches from ``web`` into an empty folder."""
    return Fetch(web, tmp_path / "a folder")
