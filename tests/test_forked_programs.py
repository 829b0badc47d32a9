"""The stand-ins of installed programs, by which the tests of the recipes save the imports."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fairseq_amber.cli import versions
from forked_programs import forked_python, write_program


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "fairseq-amber"
    write_program(path, path.name)
    return str(path)


def test_it_says_and_ends_as_the_installed_one(program, tmp_path):
    def run(*words):
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    done = run(program, "--version")
    assert (done.returncode, done.stdout) == (0, f"{versions()}\n")
    for arguments in (["no-such-command"], ["aer", "nowhere", "nothing"]):
        ours, installed = (
            run(*start, *arguments)
            for start in ([program], [sys.executable, "-m", "fairseq_amber.cli"])
        )
        assert ours.returncode == installed.returncode == 2
        assert ours.stderr.splitlines()[-1] == installed.stderr.splitlines()[-1]


ARGUMENTS = "import sys; print(sys.argv[1:], sys.path[0], __name__, 'torch' in sys.modules)"


def test_a_forked_python_does_what_python_does(tmp_path):
    path = str(tmp_path / "module.py")
    Path(path).write_text(ARGUMENTS)
    for words in (["-c", ARGUMENTS], ["-m", "module"], ["-", "x"], [path], ["-B", path]):
        printed = [
            subprocess.run(
                [python, *words, "-c", "a b"],
                cwd=tmp_path,
                input=ARGUMENTS,
                text=True,
                check=True,
                stdout=subprocess.PIPE,
                timeout=60,
            ).stdout
            for python in (forked_python(), sys.executable)
        ]
        # what other flags ask for is decided before anything is imported
        expected = printed[1] if words[0] == "-B" else printed[1].replace("False", "True")
        assert printed[0] == expected, words


@pytest.mark.parametrize(
    "code, status",
    [("raise SystemExit(3)", 3), ("1 / 0", 1), ("import os; os.kill(0, 9)", -signal.SIGKILL)],
)
def test_a_forked_python_ends_as_python_does(code, status):
    for _ in range(2):
        done = subprocess.run([forked_python(), "-c", code], stderr=subprocess.DEVNULL, timeout=60)
        assert done.returncode == status


def test_it_has_the_folder_of_who_starts_it(program, tmp_path):
    sizes = "--train-sentences 400 --valid-sentences 9 --test-sentences 9 --mono-sentences 9"
    command = f'cd "{tmp_path}" && "$0" demo-corpus here {sizes} | cat'
    subprocess.run(["bash", "-c", command, program], check=True, timeout=60)
    assert (tmp_path / "here" / "train.de-en.de").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_it(program, tmp_path, number):
    folder = tmp_path / "corpus"
    process = subprocess.Popen([program, "demo-corpus", folder, "--train-sentences", "9000000"])
    while not list(tmp_path.glob("*corpus*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) in (130, -number)


def test_it_ends_with_who_started_it(program, tmp_path):
    command = [program, "demo-corpus", "corpus", "--train-sentences", "9000000"]

    def running():
        found = []
        for folder in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):  # of another user, or gone by now
                found += [folder] * (os.readlink(folder) == os.path.realpath(tmp_path))
        return found

    subprocess.run([program, "user-dir"], check=True, timeout=60)  # the server has its imports
    for wait in (0.1, 2.0):  # while it begins, and while it works
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
        time.sleep(wait)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 30
        while running():
            assert time.monotonic() < deadline
            time.sleep(0.1)
