"""Weights in one file or in shards: nothing outside of the folder is read, and damage is named."""

import json

import pytest
import torch

from fairseq_amber.errors import UserError

pytest.importorskip("safetensors", reason="safetensors is not installed")

from fairseq_amber.convert.hugging_face.weight_files import (  # noqa: E402
    encode_safetensors,
    read_weights,
)

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}


def write_index(folder, weight_map, name="model.safetensors"):
    (folder / f"{name}.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_files_of_both_kinds_whole_and_in_shards(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(encode_safetensors(WEIGHTS))
    assert torch.equal(read_weights(tmp_path)["a"], WEIGHTS["a"])
    (tmp_path / "model.safetensors").rename(tmp_path / "part-1.safetensors")
    torch.save({"c": torch.zeros(1)}, tmp_path / "part-2.bin")
    write_index(tmp_path, {"a": "part-1.safetensors", "c": "part-2.bin"})
    assert sorted(read_weights(tmp_path)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/passwd", "a/../../x", "", None, 3, ["x"]]
)
def test_a_shard_lies_inside_of_the_folder(name, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(encode_safetensors(WEIGHTS))
    folder = tmp_path / "model"
    folder.mkdir()
    write_index(folder, {"a": name, "b": name} if isinstance(name, str) else {"a": name})
    with pytest.raises(UserError, match="index.json: the weight file .* inside of the folder"):
        read_weights(folder)


@pytest.mark.parametrize("weight_map", [None, [], {}, "x", 3, {"a": {}}])
def test_an_index_of_another_kind_is_damage(weight_map, tmp_path):
    write_index(tmp_path, weight_map)
    with pytest.raises(UserError, match="index.json"):
        read_weights(tmp_path)


def test_a_shard_that_is_missing_or_lacks_its_weights(tmp_path):
    write_index(tmp_path, {"a": "part.safetensors", "z": "part.safetensors"})
    with pytest.raises(
        UserError, match="part.safetensors is missing, which .*fetch the whole folder"
    ):
        read_weights(tmp_path)
    (tmp_path / "part.safetensors").write_bytes(encode_safetensors(WEIGHTS))
    with pytest.raises(UserError, match="part.safetensors lacks z, which .*index.json lists"):
        read_weights(tmp_path)


def test_a_weight_in_two_shards(tmp_path):
    """The last shard's was taken, whatever the index said; equal ones, as of tied weights, do no
    harm."""
    (tmp_path / "part-1.safetensors").write_bytes(encode_safetensors(WEIGHTS))
    (tmp_path / "part-2.safetensors").write_bytes(
        encode_safetensors({"a": WEIGHTS["a"], "c": torch.ones(1)})
    )
    write_index(tmp_path, {"a": "part-1.safetensors", "c": "part-2.safetensors"})
    assert torch.equal(read_weights(tmp_path)["a"], WEIGHTS["a"])
    for other in (WEIGHTS["a"] + 1, WEIGHTS["a"][:1], WEIGHTS["a"].half()):
        (tmp_path / "part-2.safetensors").write_bytes(
            encode_safetensors({"a": other, "c": torch.ones(1)})
        )
        with pytest.raises(UserError, match="part-2.safetensors has other values of a than"):
            read_weights(tmp_path)


def test_every_cut_of_a_file_is_named(tmp_path):
    content = encode_safetensors(WEIGHTS)
    for end in range(0, len(content), 9):
        (tmp_path / "model.safetensors").write_bytes(content[:end])
        with pytest.raises(UserError, match="model.safetensors is not a complete"):
            read_weights(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_named(value, tmp_path):
    torch.save({"a": torch.tensor([1.0, value])}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="pytorch_model.bin: a has values that are no numbers"):
        read_weights(tmp_path)
