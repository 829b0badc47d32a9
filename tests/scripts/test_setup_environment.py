"""Which Python scripts/setup.sh takes, and which environment it makes or leaves alone."""

import json
import shutil

import pytest


def test_no_python_that_fits(machine):
    machine.scenario(supported=1)
    for candidate in ("python3.13", "python3.12", "python3.11", "python3.10"):
        machine.program(candidate, "exit 1")
    assert "no Python 3.10 to 3.13 found; install one" in machine.run(status=1)
    assert not machine.venv.exists()


@pytest.mark.parametrize("python", ["python3", "/no/such/python"])
def test_the_wrong_python(machine, python):
    machine.scenario(supported=1)
    printed = machine.run(status=1, PYTHON=python)
    assert f"PYTHON={python} is not a working Python 3.10 to 3.13" in printed


def test_another_candidate_where_python3_is_too_old(machine):
    shutil.copy(machine.bin / "python3", machine.bin / "python3.12")
    machine.program("python3", "exit 1")
    machine.program("python3.13", "exit 1")
    assert "making .venv with Python 3.11.7 (python3.12)" in machine.run()


def test_a_python_without_venv(machine):
    machine.scenario(ensurepip=1)
    assert "apt install python3.11-venv" in machine.run(status=1)
    assert not machine.venv.exists()


def test_the_environments_python_is_no_longer_supported(machine):
    machine.run()
    machine.scenario(supported=1)
    (machine.checkout / "setup.py").write_text("# newer")
    assert "is Python 3.11.7, not 3.10 to 3.13: move it away" in machine.run(status=1)


@pytest.mark.parametrize("kind", ["with-pip", "without-pip", "file", "broken-link"])
def test_somebody_elses_environment_is_left_alone(machine, kind):
    if kind == "file":
        machine.venv.write_text("source ~/venvs/mine")
    elif kind == "broken-link":
        machine.venv.symlink_to(machine.folder / "gone")
    else:
        (machine.venv / "bin").mkdir(parents=True)
        (machine.venv / "pyvenv.cfg").write_text("home = /usr")
        if kind == "with-pip":
            shutil.copy(machine.bin / "python3", machine.venv / "bin" / "python")
            (machine.venv / "pip").touch()
    before = sorted(machine.checkout.rglob("*"))
    printed = machine.run(status=1)
    assert ".venv was not made by this script for this checkout: move it away" in printed
    assert sorted(machine.checkout.rglob("*")) == before
    assert "done" in machine.run(AMBER_VENV=".venv-amber")


def test_an_empty_folder_is_nobodys(machine):
    machine.venv.mkdir()
    assert "done" in machine.run()


def test_a_checkout_that_was_moved(machine):
    machine.run()
    machine.checkout = machine.checkout.rename(machine.folder / "elsewhere")
    machine.venv = machine.checkout / ".venv"
    assert "making .venv" in machine.run()


@pytest.mark.parametrize("name", ["/tmp/venv", "a/b", ".", ".."])
def test_the_environment_is_in_the_checkout(machine, name):
    printed = machine.run(status=1, AMBER_VENV=name)
    assert f"AMBER_VENV={name} is not the name of a folder in the checkout" in printed


def test_settings_of_another_environment_do_not_leak(machine):
    machine.run(PYTHONPATH="/elsewhere", PIP_TARGET="/elsewhere", PIP_CONSTRAINT="/elsewhere")
    calls = map(json.loads, (machine.folder / "calls.jsonl").read_text().splitlines())
    assert not any(call["leaked"] for call in calls)
