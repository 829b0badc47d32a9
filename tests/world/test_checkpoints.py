"""Public faults of saving and resuming, each with what must happen instead."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, _start, run_fairseq

COMMAND = (
    "--task cross_lingual_alignment --criterion amber --arch amber_tiny --encoder-layers 1"
    " --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --max-positions 64 --tokens-per-sample 64"
    " --max-tokens 600 --optimizer adam --lr 0.01 --seed 3 --log-format simple --log-interval 1"
    " --no-epoch-checkpoints --cpu --max-update 6"
).split()
NO_VALIDATION = ["--disable-validation"]


def train(data, save_dir, *flags):
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR]
    return run_fairseq("train", data, *COMMAND, *own, *flags)


def weights(folder):
    return read_torch_file(folder / "checkpoint_last.pt")["model"]


def assert_same_weights(one, other):
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def assert_one_line(result, *parts):
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("fairseq-amber: error")]
    assert len(lines) == 1 and all(str(part) in lines[0] for part in parts), result.stderr


@pytest.fixture(scope="module")
def straight(toy_data, tmp_path_factory):
    """An uninterrupted run of six updates, which has saved after every second one."""
    folder = tmp_path_factory.mktemp("world") / "straight"
    result = train(toy_data, folder, *NO_VALIDATION, "--save-interval-updates", "2")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def stopped(straight, tmp_path):
    """A copy of that run, as it was after four updates; the older file has the younger time."""
    folder = tmp_path / "run"
    shutil.copytree(straight, folder)
    (folder / "checkpoint_1_6.pt").unlink()
    shutil.copy(folder / "checkpoint_1_4.pt", folder / "checkpoint_last.pt")
    os.utime(folder / "checkpoint_1_4.pt", (1, 1))
    return folder


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_torn_last_checkpoint_beside_whole_ones(toy_data, straight, stopped, share):
    """fairseq#2684: killed while it copies onto checkpoint_last.pt, a run dies for ever with
    "PytorchStreamReader failed", although whole checkpoints lie beside the torn one."""
    last = stopped / "checkpoint_last.pt"
    last.write_bytes(last.read_bytes()[: int(last.stat().st_size * share)])
    flags = [*NO_VALIDATION, "--save-interval-updates", "2"]
    result = train(toy_data, stopped, *flags)
    assert result.returncode == 0, result.stderr
    warned = [line for line in result.stdout.splitlines() if "going on from" in line]
    assert len(warned) == 1 and str(last) in warned[0] and "checkpoint_1_4.pt" in warned[0]
    assert "(epoch 1 @ 4 updates)" in result.stdout
    assert_same_weights(stopped, straight)


def test_no_whole_checkpoint_is_left(toy_data, stopped):
    """Where nothing is whole, a run that began anew would overwrite what may be rescued yet."""
    for path in stopped.glob("*.pt"):
        path.write_bytes(path.read_bytes()[:5000])
    before = {path: path.read_bytes() for path in stopped.iterdir()}
    result = train(toy_data, stopped, *NO_VALIDATION)
    assert_one_line(result, stopped / "checkpoint_last.pt", "no other whole checkpoint")
    assert {path: path.read_bytes() for path in stopped.iterdir()} == before


def test_a_full_disk_then_space(toy_data, straight, stopped, tmp_path):
    """A disk that is full while checkpoint_last.pt is copied leaves half of it; with space, the
    same command must go on to the same weights."""
    flags = [*NO_VALIDATION, "--save-interval-updates", "2", "--keep-interval-updates", "1"]
    size = (stopped / "checkpoint_last.pt").stat().st_size
    full = train_on_a_full_disk(size * 9 // 10, tmp_path, toy_data, stopped, *flags)
    assert_one_line(full, "cannot write", "checkpoint_1_6.pt", "make room")
    names = [f"checkpoint_{name}.pt" for name in ("1_2", "1_4", "last")]
    assert sorted(path.name for path in stopped.iterdir()) == names
    again = train(toy_data, stopped, *flags)
    assert again.returncode == 0, again.stderr
    assert_same_weights(stopped, straight)
    assert [path.name for path in stopped.glob("checkpoint_1_*")] == ["checkpoint_1_6.pt"]


def train_on_a_full_disk(room, tmp_path, data, save_dir, *flags):
    """``train``, of which no file takes more bytes than there is room."""
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR]
    paths = [str(tmp_path / name) for name in "oe"]
    running = _start("train", [str(word) for word in (data, *COMMAND, *own, *flags)], paths)
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (room, room))
    status = running.wait()
    texts = [Path(path).read_text() for path in paths]
    return subprocess.CompletedProcess("train", status, *texts)


@pytest.mark.parametrize("flag", ["--restore-file", "--finetune-from-model"])
def test_a_named_checkpoint_with_a_typing_error_or_cut_short(toy_data, straight, tmp_path, flag):
    """metaseq#602: a run whose --restore-file is misspelt trains from nothing, without a word."""
    run = tmp_path / "run"
    missing = train(toy_data, run, flag, "xlmr.base/modle.pt")
    assert_one_line(missing, flag, "xlmr.base/modle.pt", "no such file")
    cut = tmp_path / "cut.pt"
    cut.write_bytes((straight / "checkpoint_last.pt").read_bytes()[:9000])
    assert_one_line(train(toy_data, run, flag, cut), flag, cut, "damaged")
    assert not run.exists() or list(run.iterdir()) == []


def test_a_checkpoint_of_another_criterion_or_optimizer(toy_data, stopped):
    """Resumed with another objective, fairseq ends in an AssertionError's traceback."""
    flags = [*NO_VALIDATION, "--optimizer", "sgd"]
    result = train(toy_data, stopped, *flags)
    assert_one_line(result, "checkpoint_last.pt", "Optimizer does not match", "--reset-optimizer")


@pytest.mark.parametrize("metric", ["retrieval/de-en", "mlm_loss/de"])
def test_the_best_checkpoints_by_a_metric_of_a_corpus(toy_data, tmp_path, metric):
    """fairseq#2195: a metric with a slash makes --keep-best-checkpoints write to a folder that is
    not there: FileNotFoundError at the first save."""
    flags = ["--validate-retrieval", "5", "--keep-best-checkpoints", "2"]
    flags += ["--best-checkpoint-metric", metric, "--save-interval-updates", "3"]
    flags += ["--maximize-best-checkpoint-metric"] if "retrieval" in metric else []
    result = train(toy_data, tmp_path, *flags)
    assert result.returncode == 0, result.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert {"checkpoint_best.pt", "checkpoint_last.pt"} <= names
    kept = [
        name for name in names if name.startswith(f"checkpoint.best_{metric.replace('/', '_')}")
    ]
    assert 1 <= len(kept) <= 2
    assert f"best_{metric}" in result.stdout  # the log has the documented name


def test_a_best_metric_that_is_misspelt(toy_data, tmp_path):
    """fairseq#4569: --best-checkpoint-metric of a name that is not logged is a KeyError."""
    result = train(toy_data, tmp_path, "--best-checkpoint-metric", "mlm_los", "--max-update", "1")
    assert_one_line(result, "--best-checkpoint-metric mlm_los", "mlm_loss, ")


@pytest.mark.parametrize(
    "flags",
    [
        ["--max-tokens", "4000"],
        ["--max-tokens", "300"],
        ["--update-examples", "30"],
        ["--languages", "de", "--pairs", "tr-en"],
    ],
)
def test_resuming_with_an_epoch_that_is_cut_otherwise(toy_data, stopped, flags):
    """fairseq#781: "Cannot resume training due to dataloader mismatch" for another --max-tokens or
    other data; it must go on at the same share of the epoch, and say so."""
    result = train(toy_data, stopped, *NO_VALIDATION, *flags)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if "it continues at update" in line]
    assert len(said) == 1 and "stopped after 4 steps" in said[0]
    state = read_torch_file(stopped / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == 6
