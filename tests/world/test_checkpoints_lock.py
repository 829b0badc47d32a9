"""Two trainings on one folder, and what kills leave there."""

import os
import signal
import time

import pytest

from fairseq_amber.files.locks import locked
from fairseq_programs import USER_DIR, _start, run_fairseq

COMMAND = (
    "--task cross_lingual_alignment --criterion amber --arch amber_tiny --encoder-layers 1"
    " --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --max-positions 64 --tokens-per-sample 64"
    " --max-tokens 600 --optimizer adam --lr 0.01 --log-format simple --disable-validation"
    " --no-epoch-checkpoints --save-interval-updates 2 --cpu"
).split()


def arguments(data, folder, *flags):
    own = ["--save-dir", folder, "--user-dir", USER_DIR]
    return [str(word) for word in (data, *COMMAND, *own, *flags)]


def test_a_second_training_on_a_folder_ends_in_one_line(toy_data, tmp_path):
    """Two trainings on one --save-dir overwrite each other's checkpoints without a word."""
    command = arguments(toy_data, tmp_path / "run", "--max-update", "2")
    with locked(tmp_path / "run"):
        refused = run_fairseq("train", *command)
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        last = refused.stderr.splitlines()[-1]
        assert last.startswith("fairseq-amber: error: another process")
        assert str(tmp_path / "run") in last and str(os.getpid()) in last
        assert run_fairseq("train", *command, "--no-save").returncode == 0
    assert run_fairseq("train", *command).returncode == 0
    assert (tmp_path / "run" / "checkpoint_last.pt").exists()
    assert sorted(os.listdir(tmp_path)) == ["run"]


@pytest.mark.distributed
def test_all_ranks_of_a_second_training_end(toy_data, tmp_path):
    """The first rank alone sees the lock; the others would wait for it for ever."""
    command = arguments(toy_data, tmp_path / "run", "--max-update", "2")
    with locked(tmp_path / "run"):
        refused = run_fairseq("train", *command, processes=2)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert refused.stderr.count("fairseq-amber: error") <= 1
    assert run_fairseq("train", *command, processes=2).returncode == 0


def test_a_killed_training_leaves_no_lock_though_its_workers_live_on(toy_data, tmp_path):
    """A lock that forked workers inherit keeps the folder of a killed run for seconds: its restart
    would be refused. What it was writing is removed."""
    run, paths = tmp_path / "run", [str(tmp_path / name) for name in "oe"]
    command = arguments(toy_data, run, "--num-workers", "2", "--max-update")
    training = _start("train", [*command, "100000"], paths)
    deadline = time.monotonic() + 60
    while not (run / "checkpoint_last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    training.send_signal(signal.SIGKILL)
    assert training.wait() == -signal.SIGKILL
    left = (run / "checkpoint_last.pt.tmp", run / ".checkpoint_1_9.amber-partial.pt")
    for path in left:
        path.touch()
    again = run_fairseq("train", *command, "1", "--num-workers", "0")
    assert again.returncode == 0, again.stderr
    assert "Loaded checkpoint" in again.stdout
    assert not any(path.exists() for path in left)
    assert all(name.startswith("checkpoint") for name in os.listdir(run))
