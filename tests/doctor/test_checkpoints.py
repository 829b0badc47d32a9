import pytest
import torch

from fairseq_amber.doctor.checkpoints import inspect_checkpoints


@pytest.fixture
def saved(tmp_path):
    """A folder of two checkpoints."""
    state = {"cfg": {"model": None, "task": None}, "model": {"weight": torch.arange(5000.0)}}
    for name in ("checkpoint1.pt", "checkpoint_last.pt"):
        torch.save(state, tmp_path / name)
    (tmp_path / "train.log").write_text("")
    return tmp_path


def test_whole_checkpoints(saved):
    found = inspect_checkpoints(saved)
    assert found.damages == [] and found.checked == {"checkpoints": 2}
    assert inspect_checkpoints(saved / "checkpoint1.pt").checked == {"checkpoints": 1}


def test_a_weight_that_changed_does_not_fit_its_checksum(saved, flip):
    path = saved / "checkpoint1.pt"
    place = path.read_bytes().index(torch.arange(5000.0).numpy().tobytes())
    flip(path, place + 9000)
    (damage,) = inspect_checkpoints(saved).damages
    assert damage.startswith(f"{path} is damaged: ") and "\n" not in damage


def test_a_checkpoint_that_was_cut_short(saved):
    path = saved / "checkpoint_last.pt"
    path.write_bytes(path.read_bytes()[:-40])
    (damage,) = inspect_checkpoints(saved).damages
    assert damage.startswith(f"{path} is damaged: ") and "take another checkpoint" in damage
