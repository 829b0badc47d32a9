"""scripts/setup.sh where shells, disks, links and callers are not as usual."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = [
    path.name
    for path in sorted((ROOT / "scripts").glob("*.sh"))
    if '/.."' in path.read_text() and path.name != "recipe_functions.sh"  # which is sourced
]
NO_CPU_BUILD = [r"^pip .*\+cpu", dict(output="ERROR: No matching distribution", status=1)]


# --- devices and disks


def test_a_list_of_gpus_that_comes_in_parts(machine):
    machine.program("nvidia-smi", "echo 'GPU 0: x'; sleep 0.3; echo 'GPU 1: x'")
    assert "the CUDA build: 3 GB" in machine.run()


@pytest.mark.parametrize(
    "line",
    [
        "//nas/my share 1 1 99999999 50% /mnt/my 5% disk",
        "fuse - - - - /mnt",
        "none 0 0 0 - /mnt",
        "/dev/lustre 1 1 4398046511104000 1% /",  # 4 EB
    ],
)
def test_what_df_may_say(machine, line):
    machine.program("df", f"echo Filesystem; echo '{line}'")
    machine.run()
    assert machine.torch().endswith("+cpu")


def test_a_df_that_fails(machine):
    machine.program("df", "echo 'df: stale file handle' >&2; exit 1")
    machine.run()
    assert machine.torch().endswith("+cpu")


def test_the_disk_is_that_of_the_environment(machine):
    machine.program("df", '[ "$2" = .venv ] && free=99999999 || free=1\n'
                    "echo Filesystem; echo /dev/x 1 1 $free 1% /")  # fmt: skip
    machine.run()


def test_a_command_that_is_killed(machine):
    machine.scenario([r"-e \.", dict(output="Installing x", killed=True)])
    printed = machine.run(status=1)
    assert "failed (ERROR: killed, probably for want of memory)" in printed


# --- programs


def test_an_uv_from_before_torch_backend(machine):
    machine.scenario(NO_CPU_BUILD)
    machine.program("uv", "echo 'error: unexpected argument'; exit 2")
    machine.run()
    assert machine.torch().endswith("+cpu")


def test_a_log_in_another_encoding(machine):
    output = "\udcfcber\nERROR: \udcfc is wrong"
    machine.scenario([r"-e \.", dict(output=output, status=1)])
    errors = machine.run(status=1, LC_ALL="C.UTF-8")
    assert "failed (ERROR: " in errors and "is wrong)" in errors


def test_the_python_of_a_complete_environment_is_gone(machine):
    machine.run()
    (machine.venv / "bin" / "python").unlink()
    assert "making .venv" in machine.run()


# --- folders and links


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_exported_cdpath_leads_nobody_astray(recipe, tmp_path):
    text = (ROOT / "scripts" / recipe).read_text()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "other" / "scripts").mkdir(parents=True)
    lines = [line for line in text.splitlines() if "cd " in line and "BASH_SOURCE" in line]
    assert len(lines) == 1
    (tmp_path / "scripts" / "x.sh").write_text("\n".join([*lines, 'cd "${root:-.}"', "pwd -P"]))
    said = subprocess.check_output(
        ["bash", "scripts/x.sh"],
        cwd=tmp_path,
        text=True,
        env={**os.environ, "CDPATH": str(tmp_path / "other")},
    )
    assert said == f"{tmp_path.resolve()}\n"


@pytest.mark.parametrize("recipe", ["setup.sh", "quickstart.sh", "test.sh"])
def test_a_shell_that_is_not_bash(recipe):
    shell = shutil.which("dash") or pytest.skip("there is no other shell")
    done = subprocess.run([shell, f"scripts/{recipe}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith(f"sh is too little: bash scripts/{recipe}\n")
    assert done.stderr.count("\n") == 1


def test_paths_of_the_caller(machine):
    """They are relative to where the caller is, not to the checkout."""
    done = subprocess.run(
        ["bash", f"{machine.checkout.name}/scripts/setup.sh"],
        cwd=machine.folder,
        env=machine.environment(PYTHON="programs/python3", FAIRSEQ_SDIST="fairseq.tar.gz"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"({machine.folder}/programs/python3)" in done.stdout


def test_a_checkout_with_two_paths_is_one(machine):
    machine.run()
    checkout, link = machine.checkout, machine.folder / "link"
    link.symlink_to(checkout)
    machine.checkout = link
    assert ".venv is complete" in machine.run(PWD=str(link))


def test_a_link_to_another_disk_stays(machine):
    disk = machine.folder / "disk"
    disk.mkdir()
    machine.venv.symlink_to(disk)
    machine.run()
    assert machine.venv.is_symlink() and (disk / "amber-complete").exists()
    assert ".venv is complete" in machine.run()


def test_a_link_to_the_environment_of_another_checkout(machine):
    machine.run()
    theirs = machine.venv.rename(machine.folder / "theirs")
    before = sorted(theirs.rglob("*"))
    (theirs / "amber-home").write_text("/home/another/checkout")
    machine.venv.symlink_to(theirs)
    (machine.checkout / "setup.py").write_text("# newer")
    assert "was not made by this script for this checkout" in machine.run(status=1)
    assert sorted(theirs.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("where", ["checkout", "venv"])
def test_folders_that_cannot_be_written(machine, where):
    if where == "venv":
        machine.run()
        (machine.checkout / "setup.py").write_text("# newer")
    folder = getattr(machine, where)
    folder.chmod(0o555)
    printed = machine.run(status=1)
    folder.chmod(0o755)
    assert printed.splitlines()[-1].startswith("setup: error: this user may not write")


def test_interrupted_while_an_old_environment_is_removed(machine):
    """What is left of it is ours, and is not taken for a whole one."""
    machine.run()
    (machine.venv / "amber-home").write_text("/where/it/was/before")
    (machine.checkout / "setup.py").write_text("# newer")
    machine.program("find", "exit 1")
    assert "cannot make" in machine.run(status=1)
    (machine.bin / "find").unlink()
    assert "making .venv" in machine.run()


# --- callers


def test_the_newest_versions_leave_the_tested_ones_alone(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test.sh", tmp_path / "scripts")
    (tmp_path / "scripts" / "setup.sh").write_text("echo $AMBER_VENV $AMBER_VERSIONS; exit 3")
    for named, used in (({}, ".venv-loose"), ({"AMBER_VENV": ".mine"}, ".mine-loose")):
        command = ["bash", "scripts/test.sh", "--loose"]
        environment = {"PATH": os.environ["PATH"], **named}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (3, f"{used} newest\n")


def test_two_at_once(machine):
    machine.scenario([r"torch", dict(waits=True)])
    first = machine.start()
    child = machine.wait_for_child(first)
    second = subprocess.Popen(
        ["bash", "scripts/setup.sh"],
        cwd=machine.checkout,
        env=machine.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "another setup.sh is at work" in second.stdout.readline()
    os.kill(child, signal.SIGKILL)
    assert first.wait(timeout=60) == 0
    assert ".venv is complete" in second.communicate(timeout=60)[0]
    assert second.returncode == 0


def test_the_terminal_stays_with_the_caller(machine):
    """Whoever else writes on it, such as tee, would be stopped under `stty tostop`."""
    (machine.checkout / "scripts" / "caller.sh").write_text("bash scripts/setup.sh; echo ends $?\n")
    # a process of its own, because one with threads, as this may be, is not to be forked
    code = "import pty, sys; pty.spawn(['bash', '-c', sys.argv[1]])"
    commands = "stty tostop; bash scripts/caller.sh | cat"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, commands],
        cwd=machine.checkout,
        env=machine.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout
    assert "done; activate with" in said and "ends 0" in said, said + done.stderr
