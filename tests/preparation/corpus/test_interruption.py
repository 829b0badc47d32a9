"""A full disk, Ctrl-C and kill -9: nothing half-written, and the same command goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus_preparation import SMALL, contents
from fairseq_amber.data.token_file import DatasetWriter
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus import data_folder
from fairseq_amber.preparation.corpus.pipeline import prepare

# runs the command; says where it is, and stays there
DRIVER = """
import signal, sys, time
from fairseq_amber import cli
from fairseq_amber.preparation.corpus import {module} as module

# a job in the background of a script starts with Ctrl-C ignored
signal.signal(signal.SIGINT, signal.default_int_handler)

def stay(*arguments):
    global calls
    calls += 1
    if calls < {calls}:
        return original(*arguments)
    print("here", flush=True)
    time.sleep(60)

calls = 0
original = module.{function}
module.{function} = stay
if __name__ == "__main__":
    sys.exit(cli.main(["prepare", {raw!r}, {out!r}, "--vocab-size", "200", "--workers", "2"]))
"""


def stop_midway(raw: Path, out: Path, signal_number: int, module: str, function: str, calls: int):
    """Runs the command in a process group of its own up to a call, and sends the signal."""
    driver = raw.parent / "driver.py"
    driver.write_text(
        DRIVER.format(module=module, function=function, calls=calls, raw=str(raw), out=str(out))
    )
    process = subprocess.Popen(
        [sys.executable, str(driver)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n", process.communicate()[1]
    if signal_number == signal.SIGINT:
        os.killpg(process.pid, signal_number)  # as a terminal does
    else:
        os.kill(process.pid, signal_number)
    _, errors = process.communicate(timeout=30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return process.returncode, errors
        time.sleep(0.05)
    raise AssertionError("worker processes outlive the command")


@pytest.mark.parametrize(
    "module, function, calls",
    [
        ("pipeline", "learn_model", 1),  # in a process of its own
        ("encode", "read_block", 5),  # in a worker
        ("pipeline", "_place", 4),  # between two corpora
    ],
)
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_run_leaves_whole_files_and_goes_on(
    raw: Path, tmp_path: Path, signal_number: int, module: str, function: str, calls: int
):
    status, errors = stop_midway(raw, tmp_path / "out", signal_number, module, function, calls)
    if signal_number == signal.SIGINT:
        assert status == 130
        assert "Traceback" not in errors
        assert errors.splitlines()[-1].startswith("fairseq-amber: interrupted")
        assert not (tmp_path / "out" / ".partial").exists()
    whole = tmp_path / "whole"
    expected = prepare(raw, whole, vocabulary=SMALL)
    if function == "learn_model" and signal_number == signal.SIGINT:
        assert not (tmp_path / "out").exists()
    elif function == "_place":
        half = contents(tmp_path / "out")
        reference = contents(whole)
        finished = [name for name in half if name.endswith((".bin", ".idx"))]
        assert 0 < len(finished) < sum(name.endswith((".bin", ".idx")) for name in reference)
        assert all(half[name] == reference[name] for name in finished if "partial" not in name)
    rest = prepare(raw, tmp_path / "out", vocabulary=SMALL)
    assert contents(tmp_path / "out") == contents(whole)
    assert rest.sentences < expected.sentences or function != "_place"


@pytest.mark.parametrize("full_after", [0, 1, 9])
def test_full_disk_ends_in_one_line_and_the_same_command_goes_on(
    raw: Path, tmp_path: Path, monkeypatch, full_after: int
):
    original = DatasetWriter.add
    added = []

    def add(self, ids, sizes):
        if len(added) >= full_after:
            raise OSError(errno.ENOSPC, "No space left on device")
        added.append(None)
        original(self, ids, sizes)

    monkeypatch.setattr(DatasetWriter, "add", add)
    with pytest.raises(UserError, match="the disk is full.*make room and run the same command"):
        prepare(raw, tmp_path / "out", vocabulary=SMALL, workers=2)
    monkeypatch.undo()
    assert not (tmp_path / "out" / ".partial").exists()
    prepare(raw, tmp_path / "whole", vocabulary=SMALL)
    half, whole = contents(tmp_path / "out"), contents(tmp_path / "whole")
    assert half and all(half[name] == whole[name] for name in half if name != "prepare.json")
    prepare(raw, tmp_path / "out", vocabulary=SMALL)
    assert contents(tmp_path / "out") == whole


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_device(raw: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        DatasetWriter, "__init__", lambda self, prefix, dtype: _write_to_full_device(self, dtype)
    )
    with pytest.raises(UserError, match="the disk is full"):
        prepare(raw, tmp_path / "out", vocabulary=SMALL, workers=2)


def _write_to_full_device(writer, dtype):
    writer.prefix = Path("/dev/full")
    writer._dtype = dtype
    writer._sizes = []
    writer._stream = open("/dev/full", "wb")


def test_two_runs_at_once(raw: Path, tmp_path: Path):
    lock = (
        "import sys, time, pathlib\n"
        "from fairseq_amber.preparation.corpus.data_folder import open_data_folder\n"
        f"with open_data_folder(pathlib.Path({str(tmp_path / 'out')!r})):\n"
        "    print('here', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    try:
        with pytest.raises(UserError, match="another process .* is writing .*out; wait"):
            prepare(raw, tmp_path / "out", vocabulary=SMALL)
        assert (tmp_path / "out" / ".partial").exists()  # the other's
    finally:
        process.communicate()
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(raw: Path, tmp_path: Path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(data_folder, "_remove_leftovers", refuse)
    with pytest.raises(UserError, match="cannot write .*out/.partial: Permission denied"):
        prepare(raw, tmp_path / "out", vocabulary=SMALL)


def test_a_worker_that_is_killed(raw: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("fairseq_amber.preparation.corpus.encode.read_block", _die)
    with pytest.raises(UserError, match="a worker process was killed.*fewer --workers"):
        prepare(raw, tmp_path / "out", vocabulary=SMALL, workers=2)
    monkeypatch.undo()
    monkeypatch.setattr("fairseq_amber.preparation.corpus.pipeline.learn_model", _die)
    with pytest.raises(UserError, match="learns the vocabulary was killed.*--vocab-sentences"):
        prepare(raw, tmp_path / "other", vocabulary=SMALL, workers=2)


def test_a_fault_in_learning_is_not_called_want_of_memory(raw: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("fairseq_amber.preparation.corpus.pipeline.learn_model", _end)
    with pytest.raises(UserError, match=r"ended by itself \(status 3\).*report it"):
        prepare(raw, tmp_path / "out", vocabulary=SMALL, workers=2)


def _end(*_):
    os._exit(3)


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
