"""scripts/setup.sh itself, through every branch, against stand-ins for all that it calls.

This file: which torch it installs, and what it does when something is installed already. Here and
in the files beside this one, the path of the checkout has spaces.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
TORCH = next(line.split("==")[1] for line in CONSTRAINTS if line.startswith("torch=="))

NOT_THERE = dict(output="ERROR: No matching distribution found for torch", status=1)
NO_NETWORK = dict(
    output="WARNING: Retrying after connection broken by 'NewConnectionError'\n"
    "ERROR: Could not find a version that satisfies the requirement (from versions: none)\n"
    "ERROR: No matching distribution found",
    status=1,
)
NO_CPU_BUILD = [r"^pip .*\+cpu", NOT_THERE]
NO_UV = [r"^pip .* uv$", NOT_THERE]
UV_REACHES_NOTHING = [r"^uv ", dict(output="error: Request failed after 3 retries", status=2)]


def test_the_cpu_build_of_pips_own_index(machine):
    printed = machine.run()
    assert machine.torch() == f"{TORCH}+cpu"
    assert machine.calls()[0] == f"pip install --no-deps torch=={TORCH}+cpu"
    assert not machine.calls("uv")
    assert "0.2 GB to fetch, 1 GB on disk" in machine.said_before("torch")
    assert "done; activate with: . .venv/bin/activate" in printed


def test_the_cpu_build_by_an_uv_that_is_fetched_for_it(machine):
    machine.scenario(NO_CPU_BUILD)
    machine.run()
    assert machine.torch() == f"{TORCH}+cpu"
    by_uv = [call for call in machine.calls() if call.startswith("uv")]
    assert by_uv == [
        f"uv pip install --python .venv/bin/python --no-deps --torch-backend cpu torch=={TORCH}"
    ]
    assert any("-c constraints.txt" in call for call in machine.calls("--target"))


def test_the_cpu_build_by_the_uv_that_is_there(machine):
    machine.scenario(NO_CPU_BUILD)
    shutil.copy(machine.bin / "python3", machine.bin / "uv")
    machine.run()
    assert machine.torch() == f"{TORCH}+cpu"
    assert not machine.calls("--target")


@pytest.mark.parametrize("uv", [NO_UV, UV_REACHES_NOTHING], ids=["no-uv", "uv-without-network"])
def test_the_cuda_build_where_there_is_no_other(machine, uv):
    machine.scenario(NO_CPU_BUILD, uv)
    printed = machine.run()
    assert machine.torch() == TORCH
    assert f"pip install -c constraints.txt torch=={TORCH}" in machine.calls()
    cost = "the CUDA build: 3 GB to fetch, 5 GB on disk"
    assert cost in machine.said_before("pip install -c constraints.txt torch")
    assert printed.count("that failed (") == 2


def test_a_cpu_build_that_does_not_arrive_is_none(machine):
    """pip ends well, and torch is not there: as when an index has another one by that name."""
    machine.scenario([r"\+cpu", dict(output="Would install torch", stops=True)], NO_UV)
    printed = machine.run()
    assert "that failed (Would install torch)" in printed
    assert machine.torch() == TORCH


def test_a_machine_with_a_gpu(machine):
    machine.program("nvidia-smi", "echo 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)'")
    machine.run()
    assert machine.torch() == TORCH
    assert machine.calls()[0] == f"pip install -c constraints.txt torch=={TORCH}"
    assert "the CUDA build: 3 GB" in machine.said_before("torch")


def test_a_driver_without_a_gpu(machine):
    machine.program("nvidia-smi", "echo 'No devices were found'")
    machine.run()
    assert machine.torch() == f"{TORCH}+cpu"


@pytest.mark.parametrize("name, architecture", [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_other_systems(machine, name, architecture):
    machine.system(name, architecture)
    machine.scenario(NO_CPU_BUILD, NO_UV)
    printed = machine.run()
    assert machine.torch() == TORCH
    assert ("torch's CPU build" in printed) == (name == "Linux")
    assert "the CUDA build" not in printed


def test_torch_index_url_goes_first_with_a_gpu_too(machine):
    machine.program("nvidia-smi", "echo 'GPU 0: x'")
    machine.run(TORCH_INDEX_URL="https://an.index/cu130")
    wanted = f"pip install --no-deps torch=={TORCH} --index-url https://an.index/cu130"
    assert machine.calls()[0] == wanted
    assert len(machine.calls()) == 2  # and what torch depends on
    assert "from https://an.index/cu130 (0.2 GB for a CPU build" in machine.said_before("torch")


def test_torch_index_url_that_has_none_leads_on(machine):
    machine.scenario([r"--index-url", NOT_THERE])
    printed = machine.run(TORCH_INDEX_URL="https://an.index/cpu")
    assert "that failed (ERROR: No matching distribution" in printed
    assert machine.torch() == f"{TORCH}+cpu"


def test_the_newest_of_everything(machine):
    machine.run("--test", AMBER_VERSIONS="newest", AMBER_VENV=".venv-loose")
    calls = machine.calls("")
    assert calls and not any("constraints.txt" in call for call in calls)
    assert (
        "uv pip install --python .venv-loose/bin/python --no-deps --torch-backend cpu torch"
        in calls
    )
    assert "pip install -c /dev/null -e .[test,lint,docs]" in calls
    assert not machine.venv.exists()


def test_a_second_run_returns_at_once(machine):
    machine.run("--test")
    calls = machine.calls("")
    assert ".venv is complete" in machine.run("--test")
    assert ".venv is complete" in machine.run()  # it has what training needs, too
    assert machine.calls("") == calls


def test_the_tests_need_more_than_training(machine):
    machine.run()
    before = len(machine.calls(""))
    machine.run("--test")
    assert machine.calls("")[before:] == ["pip install -c constraints.txt -e .[test,lint,docs]"]


def test_an_edited_checkout_is_installed_again(machine):
    machine.run()
    with open(machine.checkout / "third_party" / "fairseq" / "edits.py", "a") as edits:
        edits.write("# more\n")
    before = len(machine.calls(""))
    machine.run()
    assert machine.calls("")[before] == "pip install -c constraints.txt ./third_party/fairseq"


@pytest.mark.parametrize("arguments", [["--tests"], ["--test", "more"], [""]])
def test_wrong_arguments(machine, arguments):
    assert "usage: bash scripts/setup.sh [--test]" in machine.run(*arguments, status=2)


def test_wrong_versions(machine):
    assert "neither tested nor newest" in machine.run(status=1, AMBER_VERSIONS="latest")


def test_no_variable_of_the_caller_is_needed(machine):
    """Not even HOME."""
    environment = dict(PATH=f"{machine.bin}:/usr/bin:/bin", STAND_IN=str(machine.folder))
    done = subprocess.run(
        ["bash", "scripts/setup.sh"], cwd=machine.checkout, env=environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert os.path.exists(machine.venv / "amber-complete")
