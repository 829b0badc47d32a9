"""Folders that hold a model one floor below give the same weights."""

import shutil

import pytest
import torch

from fairseq_amber.convert.reading import read_source
from fairseq_amber.errors import UserError

pytest.importorskip("safetensors", reason="safetensors is not installed")


def test_a_cache_and_an_old_layout_give_the_model(hf_mbert, tmp_path):
    expected = read_source(hf_mbert, None).model.weights
    snapshot = tmp_path / "models--x--y" / "snapshots" / "abc"
    shutil.copytree(hf_mbert, snapshot)
    shutil.copytree(hf_mbert, tmp_path / "old" / "0_Transformer")
    for place in (tmp_path / "models--x--y", tmp_path / "old", snapshot / "config.json"):
        found = read_source(place, None)
        assert all(torch.equal(found.model.weights[name], expected[name]) for name in expected)
        assert not found.modules and found.head is None and not found.is_checkpoint_of_ours


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match="has neither config.json"):
        read_source(tmp_path, None)
