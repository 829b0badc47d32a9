"""The edits of how checkpoints are written, seen at work; each test is named after its edit.

Without the plugin, which guards these functions too: they are asked for as fairseq has them.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

fairseq = pytest.importorskip("fairseq")
if "+amber" not in fairseq.__version__:
    pytest.skip(f"fairseq {fairseq.__version__} is not ours", allow_module_level=True)

from fairseq import checkpoint_utils  # noqa: E402
from fairseq.file_io import PathManager  # noqa: E402


@pytest.fixture(autouse=True)
def unguarded(monkeypatch):
    monkeypatch.setattr(checkpoint_utils, "PathManager", PathManager)
    for name in ("save_checkpoint", "torch_persistent_save"):
        function = getattr(checkpoint_utils, name)
        monkeypatch.setattr(checkpoint_utils, name, getattr(function, "__wrapped__", function))


@pytest.fixture
def synced(monkeypatch):
    """What was brought to the disk, by the size that it had then."""
    sizes, fsync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: sizes.append(os.fstat(file).st_size) or fsync(file)
    )
    return sizes


def test_whole_files(tmp_path, synced):
    path = tmp_path / "checkpoint_last.pt"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), checkpoint_utils.whole_file(str(path)) as file:
        file.write(b"half")
        raise RuntimeError
    assert os.listdir(tmp_path) == [path.name] and path.read_bytes() == b"before"
    with checkpoint_utils.whole_file(str(path)) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [path.name] and path.read_bytes() == b"after"
    assert synced == [5]


def test_whole_files_imports(tmp_path):
    source, copy = str(tmp_path / "source.pt"), str(tmp_path / "copy.pt")
    with open(source, "wb") as file:
        file.write(bytes(range(256)) * 300_000)  # more than one block
    checkpoint_utils.copy_whole(source, copy)
    with open(source, "rb") as one, open(copy, "rb") as other:
        assert one.read() == other.read()


def test_whole_copies(tmp_path, monkeypatch):
    """In the moment in which fairseq is killed most often, checkpoint_last.pt is still whole."""
    last = tmp_path / "checkpoint_last.pt"
    last.write_bytes(b"before")

    def killed(*_):
        assert last.read_bytes() == b"before"
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_utils.shutil, "copyfileobj", killed)
    cfg = dict(save_dir=str(tmp_path), maximize_best_checkpoint_metric=False, no_save=False)
    cfg.update(no_epoch_checkpoints=True, save_interval=1, save_interval_updates=5)
    cfg.update(no_last_checkpoints=False, write_checkpoints_asynchronously=False)
    trainer = SimpleNamespace(
        data_parallel_rank=0,
        consolidate_optimizer=lambda: None,
        should_save_checkpoint_on_current_rank=True,
        get_num_updates=lambda: 5,
        checkpoint_suffix="",
        save_checkpoint=lambda path, state: checkpoint_utils.torch_persistent_save(state, path),
    )
    epoch = SimpleNamespace(epoch=1, end_of_epoch=lambda: False, state_dict=dict)
    with pytest.raises(KeyboardInterrupt):
        checkpoint_utils.save_checkpoint(SimpleNamespace(**cfg), trainer, epoch, None)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint_1_5.pt", "checkpoint_last.pt"]
    assert last.read_bytes() == b"before"


def test_whole_saves(tmp_path, synced, monkeypatch):
    path = tmp_path / "checkpoint_1_5.pt"
    checkpoint_utils.torch_persistent_save({"weight": torch.ones(500)}, str(path))
    assert torch.equal(torch.load(path)["weight"], torch.ones(500))
    assert synced == [path.stat().st_size]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint_utils.torch_persistent_save({"weight": torch.ones(2)}, str(path))
    assert os.listdir(tmp_path) == [path.name]
    assert len(torch.load(path)["weight"]) == 500


def test_fresh_retries(tmp_path, monkeypatch):
    path, save, tries = tmp_path / "checkpoint_1_5.pt", torch.save, []

    def fails_once(state, file):
        tries.append(file.tell())
        if len(tries) == 1:
            file.write(b"a part of an archive, longer than what comes next" * 1000)
            raise OSError("a network file system that was away for a moment")
        save(state, file)

    monkeypatch.setattr(torch, "save", fails_once)
    checkpoint_utils.torch_persistent_save({"weight": torch.ones(2)}, str(path))
    assert tries == [0, 0]
    assert torch.equal(torch.load(path)["weight"], torch.ones(2))
