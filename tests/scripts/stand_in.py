"""Plays Python with pip, and uv, for scripts/setup.sh: installs nothing, writes down what is asked.

The folder that STAND_IN names holds ``scenario.json``, what is to happen, and gets ``calls.jsonl``,
the commands. A scenario's ``rules`` are pairs of a regular expression on ``pip install ...`` or
``uv pip install ...`` and what becomes of it: ``output``; ``status``, of a failure; ``killed``;
``stops``, with status 0 but nothing installed; ``waits``, for ever, with a child process, once.
Whatever no rule catches succeeds.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN"])
SCENARIO = json.loads((FOLDER / "scenario.json").read_text())
TORCH = SCENARIO["torch"]


def main(program: Path, arguments: list) -> int:
    """What the program of that name does with the arguments; returns its exit status."""
    if program.name == "uv":
        if "--help" in arguments:
            print("--torch-backend <TORCH_BACKEND>")
            return 0
        return install(
            "uv " + " ".join(arguments), Path(value(arguments, "--python")).parent.parent
        )
    if arguments[0] == "--version":
        print("Python", SCENARIO.get("version", "3.11.7"))
    elif arguments[:2] == ["-m", "venv"]:
        venv = Path(arguments[-1])
        place(program, venv / "bin" / "python")
        (venv / "pip").touch()
    elif arguments[:2] == ["-m", "pip"]:
        return install("pip " + " ".join(arguments[2:]), program.parent.parent)
    elif arguments[0] == "-c":
        if "import os, sys" in arguments[1] or "flock" in arguments[1]:
            sys.argv = ["-c", *arguments[2:]]
            exec(arguments[1], {})
            return 0
        return answer(arguments[1], program.parent.parent, arguments[2:])
    elif arguments == ["-"]:
        return SCENARIO.get("check", 0)
    else:
        raise AssertionError(arguments)
    return 0


def answer(code: str, venv: Path, arguments: list) -> int:
    """The four questions of setup.sh."""
    if "version_info" in code:
        if "print" in code:
            print("3.11")
        return SCENARIO.get("supported", 0)
    if "ensurepip" in code:
        return SCENARIO.get("ensurepip", 0)
    if code == "import pip":
        return 0 if (venv / "pip").exists() else 1
    if "importlib.metadata" in code:
        version = installed(venv).get(arguments[0])
        print(version or "")
        return 0 if version else 1
    raise AssertionError(code)


def install(command: str, venv: Path) -> int:
    """Follows the first rule that the command matches; without one, everything is installed."""
    with open(FOLDER / "calls.jsonl", "a") as calls:
        leaked = [
            name for name in ("PYTHONPATH", "PIP_TARGET", "PIP_CONSTRAINT") if name in os.environ
        ]
        said = (FOLDER / "stdout").read_text()
        print(json.dumps(dict(command=command, said=said, leaked=leaked)), file=calls)
    Path(os.environ["TMPDIR"], "left-behind").touch()
    for pattern, outcome in SCENARIO.get("rules", []):
        if re.search(pattern, command):
            if outcome.get("waits") and not (FOLDER / "child").exists():
                child = subprocess.Popen(["sleep", "600"])
                print("Downloading torch-2.13.0.whl (780.1 MB)", flush=True)
                (FOLDER / "child").write_text(str(child.pid))
                child.wait()
            sys.stdout.reconfigure(errors="surrogateescape")
            print(outcome.get("output", ""), flush=True)
            if outcome.get("killed"):
                os.kill(os.getpid(), signal.SIGKILL)
            if outcome.get("status") or outcome.get("stops"):
                return outcome.get("status", 0)
    packages = installed(venv)
    if "--target" in command:  # a path may hold spaces
        target = re.search(r"--target (.*) uv$", command)
        place(Path(sys.argv[1]), Path(target.group(1)) / "bin" / "uv")
    elif "third_party" in command:
        packages["fairseq"] = "0.12.2+amber1"
    elif "torch" in command:
        cpu = "+cpu" if "+cpu" in command or command.startswith("uv") else ""
        packages.setdefault("torch", TORCH + cpu)
    (venv / "installed.json").write_text(json.dumps(packages))
    return 0


def installed(venv: Path) -> dict:
    """Names and versions of what is in the environment."""
    file = venv / "installed.json"
    return json.loads(file.read_text()) if file.exists() else {}


def place(wrapper: Path, where: Path) -> None:
    """Another name for this program."""
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(wrapper.read_text())
    where.chmod(0o755)


def value(arguments: list, flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
