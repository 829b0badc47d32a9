"""What fairseq-validate and the hub interface say of a checkpoint that is missing or damaged."""

import os

import pytest
import torch
from fairseq import checkpoint_utils

from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.tasks import model_loading
from fairseq_amber.tasks.model_loading import guard_loading


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"model": {"w": torch.arange(999.0)}}, path)
    return path


def load(*names, **settings):
    return checkpoint_utils.load_model_ensemble_and_task(list(names), **settings)


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def test_what_is_no_file(saved):
    for name in (None, ""):
        with ends_with("no checkpoint is named: give --path CHECKPOINT"):
            load(name)
    with ends_with("no.pt: there is no such file; correct the path"):
        load(f"{saved.parent}/no.pt")
    with ends_with("there is no such file; one checkpoint at a time"):
        load(os.pathsep.join([str(saved)] * 2))
    with ends_with("is a folder: name a checkpoint in it"):
        load(str(saved.parent))


def test_damage(saved):
    """A flipped bit gave other losses, and success."""
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    saved.write_bytes(data)
    with ends_with("a.pt is damaged: a checksum in it is wrong; name another"):
        load(str(saved))
    saved.write_bytes(data[:1000])
    with ends_with("a.pt is damaged: it was cut short; name another"):
        load(str(saved))


@pytest.mark.parametrize("named", [True, False])
def test_parts_of_a_model_and_a_state_that_was_read_are_not_looked_for(monkeypatch, named):
    reached = []

    def stock(filenames, arg_overrides=None, task=None, strict=True, suffix="", num_shards=1):
        reached.append((suffix, num_shards))

    monkeypatch.setattr(checkpoint_utils, "load_model_ensemble_and_task", stock)
    guard_loading()
    guarded = checkpoint_utils.load_model_ensemble_and_task
    guard_loading()
    assert checkpoint_utils.load_model_ensemble_and_task is guarded is not stock
    if named:
        load("no.pt", suffix="-part0")
        load("no.pt", num_shards=2)
    else:
        guarded(["no.pt"], None, None, True, "-part0")
        guarded(["no.pt"], None, None, True, "", 2)
    assert reached == [("-part0", 1), ("", 2)]
    with ends_with("no.pt: there is no such file"):
        guarded(["no.pt"], {})


def test_a_file_of_another_store_is_fairseqs(monkeypatch):
    monkeypatch.setattr(model_loading.PathManager, "path_requires_pathmanager", lambda _: True)
    monkeypatch.setattr(model_loading, "check_checkpoint", None)
    model_loading.check_model("store://a.pt")


def test_the_initial_encoder_of_a_criterion(saved, make_task):
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 1
    saved.write_bytes(data)
    cfg = TransportConfig(_name="ot_alignment", anchor_checkpoint=str(saved))
    with ends_with("a.pt is damaged: a checksum in it is wrong"):
        make_task().build_criterion(cfg)
