"""scripts/setup.sh itself, through every branch, against stand-ins for all that it calls, in a
checkout whose path has spaces."""

import json
import os
import shutil
import signal
import subprocess
import time
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
DISK_FULL = dict(output="ERROR: [Errno 28] No space left on device", status=1)
NO_CPU_BUILD = [r"^pip .*\+cpu", NOT_THERE]
NO_UV = [r"^pip .* uv$", NOT_THERE]
UV_REACHES_NOTHING = [r"^uv ", dict(output="error: Request failed after 3 retries", status=2)]


# --- which torch


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
    assert "pip install -c /dev/null -e .[test,lint]" in calls
    assert not machine.venv.exists()


# --- what goes wrong


def test_no_network(machine):
    machine.scenario([r"^pip|^uv", NO_NETWORK])
    printed = machine.run(status=1)
    assert "installing torch failed (ERROR: Could not find a version" in printed
    assert "from versions" not in printed
    assert "check the network, the proxy and pip's index settings" in printed
    machine.scenario()
    assert "completing .venv (Python 3.11.7)" in machine.run()


def test_the_network_goes_away_while_fairseq_is_built(machine):
    line = "fairseq build: cannot download fairseq-0.12.2.tar.gz"
    machine.scenario([r"third_party", dict(output=f"  {line}\nERROR: ConnectionError", status=1)])
    printed = machine.run(status=1)
    assert f"building fairseq failed ({line}). Remedy: check the network" in printed
    machine.scenario()
    before = len(machine.calls())
    machine.run()
    assert len(machine.calls()) == before  # torch is there


def test_the_plugin_cannot_be_installed(machine):
    machine.scenario([r"-e \.", dict(output="error: something else", status=1)])
    printed = machine.run(status=1)
    assert "installing fairseq_amber failed (error: something else)" in printed
    assert "see docs/installation.md" in printed


CONFLICT = """ERROR: Cannot install torch because these versions have conflicting dependencies.
The conflict is caused by:
    The user requested torch==2
    The user requested (constraint) torch==2
ERROR: ResolutionImpossible: for help visit"""


@pytest.mark.parametrize(
    "before, cause",
    [
        ("", "pip found nothing that fits: torch==2"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError': /simple/torch/\n",
            "connection broken by 'NewConnectionError': /simple/torch/",
        ),
    ],
)
def test_a_pinned_version_that_is_not_found(machine, before, cause):
    """pip calls it a conflict, even where it reached no index."""
    machine.scenario([r"^pip|^uv", dict(output=before + CONFLICT, status=1)])
    printed = machine.run(status=1)
    assert f"failed ({cause}). Remedy: check the network" in printed


def test_a_package_that_cannot_be_built(machine):
    """pip's own summary, subprocess-exited-with-error, helps nobody."""
    output = """  error: subprocess-exited-with-error
      Traceback (most recent call last):
      ModuleNotFoundError: No module named 'x'
      [end of output]
error: metadata-generation-failed"""
    machine.scenario([r"-e \.", dict(output=output, status=1)])
    assert "failed (ModuleNotFoundError: No module named 'x')" in machine.run(status=1)


def test_what_is_installed_does_not_work(machine):
    machine.scenario(check=1)
    assert "the installation does not work; remove" in machine.run(status=1)
    assert not (machine.venv / "amber-complete").exists()


def test_a_full_disk_ends_the_attempts(machine):
    machine.scenario([r"\+cpu", DISK_FULL])
    printed = machine.run(status=1)
    assert "Remedy: the disk is full: free some GB" in printed
    assert len(machine.calls()) == 1


def test_a_disk_without_room_for_the_log(machine):
    machine.scenario([r"\+cpu", dict(output="", status=1)])
    machine.program("df", f'n=$(cat "{machine.folder}/calls.jsonl" 2>/dev/null | wc -c)\n'
                    f"[ $n -gt 0 ] && free=100 || free=100000000\n"
                    "echo Filesystem; echo /dev/x 1 1 $free 1% /")  # fmt: skip
    assert "the disk is full" in machine.run(status=1)


def test_a_disk_too_small_is_said_before_anything_is_fetched(machine):
    machine.disk(gigabytes=2.5)
    assert "2 GB free in" in machine.run(status=1)
    assert not machine.calls()


def test_a_disk_with_room_for_the_small_build_alone(machine):
    machine.disk(gigabytes=5)
    machine.run()
    shutil.rmtree(machine.venv)
    machine.scenario(NO_CPU_BUILD, NO_UV)
    assert "5 GB free in" in machine.run(status=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_torch_is_fetched(machine, number):
    machine.scenario([r"torch", dict(waits=True)])
    process = machine.start()
    child = machine.wait_for_child(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "setup: interrupted; the same command continues\n"
    assert not (machine.venv / "amber-tmp").exists()
    assert not alive(child)
    assert "completing .venv" in machine.run()
    assert machine.torch() == f"{TORCH}+cpu"


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and not yet collected


def test_interrupted_while_the_environment_is_made(machine):
    """It stays ours: the next run makes it anew."""
    machine.venv.mkdir()
    (machine.venv / "amber-home").write_text(str(machine.checkout))
    (machine.venv / "half").touch()
    assert "making .venv" in machine.run()
    assert not (machine.venv / "half").exists()


def test_a_long_installation_says_that_it_is_at_work(machine):
    script = machine.checkout / "scripts" / "setup.sh"
    text = script.read_text()
    assert text.count("report_every=30") == 1
    script.write_text(text.replace("report_every=30", "report_every=0.1"))
    machine.scenario([r"torch", dict(waits=True)])
    process = machine.start()
    stdout = machine.folder / "stdout"
    while "still at work: Downloading torch-2.13.0.whl (780.1 MB)" not in stdout.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    process.communicate(timeout=30)


# --- which Python, which environment


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


# --- what is there already


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
    assert machine.calls("")[before:] == ["pip install -c constraints.txt -e .[test,lint]"]


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
