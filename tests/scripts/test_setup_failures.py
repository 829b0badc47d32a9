"""What scripts/setup.sh says when the network, the disk or a package fails, or on a signal."""

import shutil
import signal
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
NO_NETWORK = dict(
    output="WARNING: Retrying after connection broken by 'NewConnectionError'\n"
    "ERROR: Could not find a version that satisfies the requirement (from versions: none)\n"
    "ERROR: No matching distribution found",
    status=1,
)
DISK_FULL = dict(output="ERROR: [Errno 28] No space left on device", status=1)
NO_CPU_BUILD = [r"^pip .*\+cpu", NOT_THERE]
NO_UV = [r"^pip .* uv$", NOT_THERE]


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
    deadline = time.monotonic() + 10
    while alive(child):  # a signal has been sent to it, and it may need a moment to end
        assert time.monotonic() < deadline
        time.sleep(0.01)
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
