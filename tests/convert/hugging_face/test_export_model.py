"""Exported folders: what sentence-transformers reads, and packages that are missing."""

import json
import sys

import pytest
import torch

from fairseq_amber.inference.encoder import Encoder

pytest.importorskip("safetensors", reason="safetensors is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SENTENCES = ["ein rotes Haus", "the dog sleeps today , doesn't it ?", "Кошка спит"]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_sentence_vectors_are_ours(pooling, fairseq_xlmr, tmp_path, convert):
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed"
    )
    convert(fairseq_xlmr, tmp_path / "ours")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf", "--pooling", pooling)
    ours = Encoder.load(tmp_path / "ours" / "model.pt", device="cpu")
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "hf"), device="cpu")
    assert theirs.max_seq_length == 64
    vectors = theirs.encode(SENTENCES, convert_to_tensor=True)
    torch.testing.assert_close(
        ours.embed(SENTENCES, pooling=pooling), vectors, atol=1e-5, rtol=1e-5
    )


def test_the_pooling_is_written_without_the_package(fairseq_xlmr, tmp_path, convert):
    convert(fairseq_xlmr, tmp_path / "hf", "--to", "hugging-face", "--pooling", "cls")
    pooling = json.loads((tmp_path / "hf" / "1_Pooling" / "config.json").read_text())
    assert pooling["pooling_mode_cls_token"] and not pooling["pooling_mode_mean_tokens"]
    assert pooling["word_embedding_dimension"] == 16


def test_the_pooling_is_kept_on_the_way_through_a_checkpoint(fairseq_xlmr, tmp_path, convert):
    convert(fairseq_xlmr, tmp_path / "ours", "--pooling", "cls")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "hf")
    pooling = json.loads((tmp_path / "hf" / "1_Pooling" / "config.json").read_text())
    assert pooling["pooling_mode_cls_token"] and not pooling["pooling_mode_mean_tokens"]


@pytest.mark.parametrize("package", ["safetensors.torch", "tokenizers"])
def test_a_missing_package_is_named(package, fairseq_xlmr, monkeypatch, refused):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    line = refused(fairseq_xlmr, "--to", "hugging-face")
    assert f"the package {package.split('.')[0]} is missing; pip install" in line
