"""Plays Python with pip, and uv, for scripts/setup.sh: installs nothing, writes down what is asked.

The folder that STAND_IN names holds ``scenario``, what is to happen as Python writes it, and gets
``calls.jsonl``, the commands. A scenario's ``rules`` are pairs of a regular expression on
``pip install ...`` or ``uv pip install ...`` and what becomes of it: ``output``; ``status``, of a
failure; ``killed``; ``stops``, with status 0 but nothing installed; ``waits``, for ever, with a
child process, once.
Whatever no rule catches succeeds.

One run of setup.sh starts this 15 times, so that it imports only what a command needs.
"""

import os
import sys

FOLDER = os.environ["STAND_IN"]


def read(path: str) -> str:
    """The content of a file; empty if there is none."""
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


SCENARIO = eval(read(f"{FOLDER}/scenario"))
TORCH = SCENARIO["torch"]


def main(program: str, arguments: list) -> int:
    """What the program of that name does with the arguments; returns its exit status."""
    if os.path.basename(program) == "uv":
        if "--help" in arguments:
            print("--torch-backend <TORCH_BACKEND>")
            return 0
        return install("uv " + " ".join(arguments), above(value(arguments, "--python")))
    if arguments[0] == "--version":
        print("Python", SCENARIO.get("version", "3.11.7"))
    elif arguments[:2] == ["-m", "venv"]:
        venv = arguments[-1]
        place(program, f"{venv}/bin/python")
        open(f"{venv}/pip", "w").close()
    elif arguments[:2] == ["-m", "pip"]:
        return install("pip " + " ".join(arguments[2:]), above(program))
    elif arguments[0] == "-c":
        if "import os, sys" in arguments[1] or "flock" in arguments[1]:
            sys.argv = ["-c", *arguments[2:]]
            exec(arguments[1], {})
            return 0
        return answer(arguments[1], above(program), arguments[2:])
    elif arguments == ["-"]:
        return SCENARIO.get("check", 0)
    else:
        raise AssertionError(arguments)
    return 0


def answer(code: str, venv: str, arguments: list) -> int:
    """The four questions of setup.sh."""
    if "version_info" in code:
        if "print" in code:
            print("3.11")
        return SCENARIO.get("supported", 0)
    if "ensurepip" in code:
        return SCENARIO.get("ensurepip", 0)
    if code == "import pip":
        return 0 if os.path.exists(f"{venv}/pip") else 1
    if "importlib.metadata" in code:
        version = installed(venv).get(arguments[0])
        print(version or "")
        return 0 if version else 1
    raise AssertionError(code)


def install(command: str, venv: str) -> int:
    """Follows the first rule that the command matches; without one, everything is installed."""
    import json
    import re

    with open(f"{FOLDER}/calls.jsonl", "a") as calls:
        leaked = [
            name for name in ("PYTHONPATH", "PIP_TARGET", "PIP_CONSTRAINT") if name in os.environ
        ]
        said = read(f"{FOLDER}/stdout")
        print(json.dumps(dict(command=command, said=said, leaked=leaked)), file=calls)
    open(os.path.join(os.environ["TMPDIR"], "left-behind"), "w").close()
    for pattern, outcome in SCENARIO.get("rules", []):
        if re.search(pattern, command):
            if outcome.get("waits") and not os.path.exists(f"{FOLDER}/child"):
                import subprocess

                child = subprocess.Popen(["sleep", "600"])
                print("Downloading torch-2.13.0.whl (780.1 MB)", flush=True)
                write(f"{FOLDER}/child", str(child.pid))
                child.wait()
            sys.stdout.reconfigure(errors="surrogateescape")
            print(outcome.get("output", ""), flush=True)
            if outcome.get("killed"):
                os.kill(os.getpid(), 9)
            if outcome.get("status") or outcome.get("stops"):
                return outcome.get("status", 0)
    packages = installed(venv)
    if "--target" in command:  # a path may hold spaces
        target = re.search(r"--target (.*) uv$", command)
        place(sys.argv[1], f"{target.group(1)}/bin/uv")
    elif "third_party" in command:
        packages["fairseq"] = "0.12.2+amber1"
    elif "torch" in command:
        cpu = "+cpu" if "+cpu" in command or command.startswith("uv") else ""
        packages.setdefault("torch", TORCH + cpu)
    write(f"{venv}/installed", repr(packages))
    return 0


def installed(venv: str) -> dict:
    """Names and versions of what is in the environment."""
    return eval(read(f"{venv}/installed") or "{}")


def place(wrapper: str, where: str) -> None:
    """Another name for this program."""
    os.makedirs(os.path.dirname(where), exist_ok=True)
    write(where, read(wrapper))
    os.chmod(where, 0o755)


def write(path: str, content: str) -> None:
    with open(path, "w") as file:
        file.write(content)


def above(program: str) -> str:
    """The environment whose folder ``bin`` has this program."""
    return os.path.dirname(os.path.dirname(program))


def value(arguments: list, flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
