import argparse
import os
import pickle

import pytest
import torch

from fairseq_amber.environment import version_tuple
from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import (
    RESTRICTED_PICKLE,
    is_finite,
    map_torch_file,
    read_checkpoint,
    read_torch_file,
    settings,
    write_torch_file,
)


class RunsCode:
    def __reduce__(self):
        return eval, ("1 / 0",)


@pytest.fixture
def state():
    """A checkpoint in the old format, with its settings in a Namespace."""
    torch.manual_seed(0)
    weights = {
        "half": torch.randn(3, 2).half(),
        "view": torch.randn(4, 4)[1:3],
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "ids": torch.arange(3),
    }
    return {"model": weights, "args": argparse.Namespace(arch="roberta_base", max_positions=64)}


def assert_same(found, expected):
    assert found["args"] == expected["args"]
    assert found["model"].keys() == expected["model"].keys()
    for name, value in expected["model"].items():
        assert torch.equal(found["model"][name], value)
        assert found["model"][name].dtype == value.dtype


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_containers_and_settings_come_back(state, tmp_path, zipped):
    path = tmp_path / "model.pt"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    assert_same(read_torch_file(path), state)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UserError, match=r"model\.pt is not a complete checkpoint"):
        read_torch_file(path)
    torch.save({**state, "extra": RunsCode()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"model\.pt is refused: it holds \S*eval, which is "):
        read_torch_file(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_mapped_file_is_read_and_refused_as_any_other(state, tmp_path, zipped):
    path = tmp_path / "model.pt"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    assert_same(map_torch_file(path), state)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UserError, match=r"model\.pt is not a complete checkpoint"):
        map_torch_file(path)
    torch.save({**state, "extra": RunsCode()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"model\.pt is refused: it holds \S*eval, which is "):
        map_torch_file(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_unpickler_for_old_versions_of_torch(state, tmp_path, zipped):
    """It reads what weights_only reads, and refuses what that refuses."""
    path = tmp_path / "model.pt"
    options = {"map_location": "cpu", "pickle_module": RESTRICTED_PICKLE}
    if version_tuple(torch.__version__) >= (1, 13):
        options["weights_only"] = False
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    assert_same(torch.load(path, **options), state)
    torch.save({"model": RunsCode()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match="eval is not allowed"):
        torch.load(path, **options)


def test_what_cannot_be_read_is_one_clear_error(tmp_path):
    for path in (tmp_path, tmp_path / "missing.pt"):
        with pytest.raises(UserError, match="cannot read"):
            read_torch_file(path)


def test_a_checkpoint_has_weights_and_settings(state, tmp_path):
    path = tmp_path / "model.pt"
    write_torch_file(state, path)
    assert_same(read_checkpoint(path), state)
    write_torch_file({"model": state["model"], "args": None, "cfg": None}, path)
    with pytest.raises(UserError, match="holds weights but not the settings"):
        read_checkpoint(path)
    for other in ([state], {"args": state["args"]}):
        write_torch_file(other, path)
        with pytest.raises(UserError, match="not a complete checkpoint of fairseq-train"):
            read_checkpoint(path)


def test_settings_of_the_old_and_of_the_new_format(state):
    model, task = settings(state)
    assert model is task is state["args"]
    new = {"cfg": {"model": state["args"], "task": {"data": "x"}}, "args": None}
    assert settings(new) == (state["args"], argparse.Namespace(data="x"))
    assert settings({"cfg": {"model": None, "task": None}})[0] == argparse.Namespace()


def test_a_full_disk_leaves_nothing(state, tmp_path, monkeypatch):
    def full(*args):
        raise RuntimeError("PytorchStreamWriter failed writing file\nbacktrace")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"cannot write .*: PytorchStreamWriter failed .* file$"):
        write_torch_file(state, tmp_path / "model.pt")
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full_is_called_so(state, tmp_path):
    """torch's own words are "[enforce fail at inline_container.cc:672]"."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UserError, match="x.pt: File too large$"):
            write_torch_file({"a": torch.zeros(100_000)}, tmp_path / "x.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".pt"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"cfg": 5}, "the settings of its model are damaged"),
        ({"cfg": {"model": 3, "task": {}}}, "the settings of its model are damaged"),
        ({"cfg": {"model": {}}}, "the settings of its model are damaged"),
        ({"model": {"a": 3}}, "is damaged: it is not as fairseq-train writes it"),
        ({"model": {"a": torch.eye(2).to_sparse()}}, "it is not as fairseq-train writes it"),
        ({"model": {"a": torch.empty(2, device="meta")}}, "it is not as fairseq-train writes it"),
        ({"task_state": [1]}, "is damaged: it is not as fairseq-train writes it"),
        ({"optimizer_history": [3]}, "is damaged: it is not as fairseq-train writes it"),
    ],
)
def test_a_checkpoint_of_other_types_is_damaged(changes, message, tmp_path):
    whole = {"model": {"a": torch.zeros(1)}, "cfg": {"model": {"_name": "amber"}, "task": {}}}
    torch.save({**whole, **changes}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=message):
        read_checkpoint(tmp_path / "x.pt")


def test_a_flipped_bit_in_a_weight_is_found(tmp_path):
    path, weight = tmp_path / "model.pt", torch.arange(3000.0)
    torch.save({"weight": weight}, path)
    assert torch.equal(read_torch_file(path)["weight"], weight)
    content = bytearray(path.read_bytes())
    content[content.index(weight.numpy().tobytes()) + 5000] ^= 1
    path.write_bytes(content)
    assert not torch.equal(torch.load(path)["weight"], weight)  # torch itself takes it as it is
    with pytest.raises(UserError, match="model.pt is not a complete checkpoint: .*, damaged, or"):
        read_torch_file(path)


def test_a_folder_in_place_of_a_checkpoint(tmp_path):
    with pytest.raises(UserError, match="is a folder: name a checkpoint in it, such as"):
        read_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is a folder of Hugging Face: `fairseq-amber convert"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_values_are_finite_also_where_their_sum_is_not(dtype):
    large = torch.full((3,), torch.finfo(dtype).max, dtype=dtype)
    assert not large.sum().isfinite()
    assert is_finite(large) and is_finite(large[:0]) and is_finite(torch.ones(2, dtype=torch.int64))
    for value in (float("nan"), float("inf"), -float("inf")):
        broken = torch.tensor([value, 1.0, -value], dtype=dtype)
        assert not is_finite(broken) and not is_finite(broken[:1])
