"""Saving under the fairseq that is installed: whole or not at all, and one line if it fails."""

import os
import resource
import shutil

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager
from omegaconf import OmegaConf

from fairseq_amber.errors import UserError
from fairseq_amber.tasks.checkpoint_saving import WholeFiles, guard_saving

STATE = {"model": {"weight": torch.arange(100_000.0)}}


@pytest.fixture
def full_disk():
    """``fill(bytes)``: no file takes more, until the test has ended."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def saved(path):
    return torch.load(path)["model"]["weight"]


def test_fairseq_saves_by_ours(tmp_path):
    path = str(tmp_path / "checkpoint_1_5.pt")
    checkpoint_utils.torch_persistent_save(STATE, path)
    last = str(tmp_path / "checkpoint_last.pt")
    assert checkpoint_utils.PathManager.copy(path, last, overwrite=True)
    for name in (path, last):
        assert torch.equal(saved(name), STATE["model"]["weight"])
    assert sorted(os.listdir(tmp_path)) == ["checkpoint_1_5.pt", "checkpoint_last.pt"]
    guarded = checkpoint_utils.save_checkpoint, checkpoint_utils.torch_persistent_save
    guard_saving()  # once is enough
    assert guarded == (checkpoint_utils.save_checkpoint, checkpoint_utils.torch_persistent_save)


@pytest.mark.parametrize("room", [100, 5_000, 200_000, 400_000])
def test_a_full_disk_leaves_the_old_checkpoint_as_it_was(tmp_path, full_disk, room):
    new, last = tmp_path / "new.pt", tmp_path / "checkpoint_last.pt"
    torch.save({"model": {"weight": torch.ones(3)}}, last)
    torch.save(STATE, new)
    full_disk(room)
    with pytest.raises(UserError, match="cannot write .*checkpoint_last.pt: File too large"):
        checkpoint_utils.torch_persistent_save(STATE, str(last))
    with pytest.raises(UserError, match="cannot write .*checkpoint_last.pt: File too large"):
        WholeFiles.copy(str(new), str(last), overwrite=True)
    assert torch.equal(saved(last), torch.ones(3))
    assert sorted(os.listdir(tmp_path)) == ["checkpoint_last.pt", "new.pt"]


def test_what_is_not_local_and_what_is_asynchronous_is_fairseqs_affair(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(PathManager, "copy", lambda *names: calls.append(names) or True)
    monkeypatch.setattr(PathManager, "path_requires_pathmanager", lambda path: path[:3] == "s3:")
    assert WholeFiles.copy("s3://a", "b", overwrite=True) and WholeFiles.copy("a", "s3://b")
    assert calls == [("s3://a", "b", True), ("a", "s3://b", False)]
    asynchronous = tmp_path / "asynchronous.pt"
    monkeypatch.setattr(PathManager, "opena", open)
    checkpoint_utils.torch_persistent_save(STATE, str(asynchronous), async_write=True)
    assert torch.equal(saved(asynchronous), STATE["model"]["weight"])


class Trainer:
    """What fairseq's ``save_checkpoint`` asks of a trainer."""

    data_parallel_rank, should_save_checkpoint_on_current_rank, checkpoint_suffix = 0, True, ""
    always_call_state_dict_during_save_checkpoint = False

    def consolidate_optimizer(self):
        pass

    def get_num_updates(self):
        return 5

    def save_checkpoint(self, path, extra_state):
        checkpoint_utils.torch_persistent_save(STATE, path)


class Epoch:
    epoch = 1

    def end_of_epoch(self):
        return False

    def state_dict(self):
        return {}


@pytest.fixture
def save(tmp_path, monkeypatch):
    """``save(metric)`` saves as after a validation; returns what the folder holds."""
    monkeypatch.delattr(checkpoint_utils.save_checkpoint, "best", raising=False)

    def run(metric, value=40.0, **settings):
        cfg = dict(save_dir=str(tmp_path / "run"), best_checkpoint_metric=metric, no_save=False)
        cfg.update(maximize_best_checkpoint_metric=True, no_epoch_checkpoints=True, save_interval=1)
        cfg.update(save_interval_updates=5, keep_best_checkpoints=2, no_last_checkpoints=False)
        cfg.update(write_checkpoints_asynchronously=False, keep_interval_updates=1)
        cfg.update(keep_interval_updates_pattern=-1, keep_last_epochs=-1, **settings)
        checkpoint_utils.save_checkpoint(OmegaConf.create(cfg), Trainer(), Epoch(), value)
        return sorted(os.listdir(tmp_path / "run"))

    yield run
    monkeypatch.delattr(checkpoint_utils.save_checkpoint, "best", raising=False)


@pytest.mark.parametrize("metric, name", [("retrieval", "retrieval"), ("f1/de", "f1_de")])
def test_a_metric_of_a_corpus_has_a_file_name(save, metric, name):
    names = save(metric)
    best = [found for found in names if found.startswith("checkpoint.best")]
    assert best == [f"checkpoint.best_{name}_40.0001.pt"] or best == [
        f"checkpoint.best_{name}_40.0000.pt"
    ]
    assert set(names) - set(best) == {
        "checkpoint_1_5.pt",
        "checkpoint_best.pt",
        "checkpoint_last.pt",
    }
    for value in (41.0, 42.0):  # two are kept
        names = save(metric, value)
    kept = [found for found in names if found.startswith("checkpoint.best")]
    assert [found.split("_")[-1][:4] for found in kept] == ["41.0", "42.0"]


def test_a_save_that_fails_is_one_line_with_what_to_do(save, tmp_path, full_disk):
    full_disk(1000)
    with pytest.raises(
        SystemExit, match=r"^fairseq-amber: error: cannot write .*checkpoint_1_5.pt"
    ):
        save("loss")
    assert os.listdir(tmp_path / "run") == []
    full_disk(resource.RLIM_INFINITY)
    assert "checkpoint_last.pt" in save("loss")


def test_an_error_of_the_system_is_one_line_too(save, tmp_path, monkeypatch):
    """That fairseq writes a part of a save itself is no reason for a traceback."""

    def fails(self, path, extra_state):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Trainer, "save_checkpoint", fails)
    with pytest.raises(SystemExit, match="cannot write a checkpoint to .*: .*No space left"):
        save("loss")
    shutil.rmtree(tmp_path / "run")


def test_a_save_dir_is_made_and_left_as_it_was(tmp_path):
    (tmp_path / "dummy").write_text("mine")  # which stock fairseq would remove
    checkpoint_utils.verify_checkpoint_directory(str(tmp_path))
    assert (tmp_path / "dummy").read_text() == "mine" and os.listdir(tmp_path) == ["dummy"]
    checkpoint_utils.verify_checkpoint_directory(str(tmp_path / "a/b"))
    assert os.listdir(tmp_path / "a/b") == []


@pytest.mark.parametrize("name, fault", [("file", "it is a file"), ("file/x", "Not a directory")])
def test_a_save_dir_that_cannot_be_written_to_is_one_line(tmp_path, name, fault):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ending:
        checkpoint_utils.verify_checkpoint_directory(f"{tmp_path}/{name}")
    assert ending.value.code == (
        f"fairseq-amber: error: cannot write to --save-dir {tmp_path}/{name}: {fault}; name a "
        "folder that you can write to"
    )
