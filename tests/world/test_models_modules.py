"""Folders of sentence-transformers there and back; the package itself is the witness where it is
installed."""

import json

import numpy as np
import pytest
import torch

from fairseq_amber.cli import main
from hugging_face_folders import save_bert

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

TYPES = [
    f"sentence_transformers.models.{k}" for k in ("Transformer", "Pooling", "Dense", "Normalize")
]
PLACES = ["", "1_Pooling", "2_Dense", "3_Normalize"]


@pytest.fixture
def labse(tmp_path):
    """The parts of LaBSE: a BERT, the state of the first token, a dense layer, unit length."""
    from safetensors.torch import save_file

    folder = save_bert(tmp_path / "labse", model="BertModel")
    modules = [
        {"idx": i, "name": str(i), "path": place, "type": kind}
        for i, (place, kind) in enumerate(zip(PLACES, TYPES))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for place in PLACES[1:]:
        (folder / place).mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    pooling["pooling_mode_mean_tokens"] = False
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    dense = {"in_features": 16, "out_features": 8, "bias": True}
    dense["activation_function"] = "torch.nn.modules.activation.Tanh"
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense))
    torch.manual_seed(4)
    weights = {"linear.weight": torch.randn(8, 16), "linear.bias": torch.randn(8)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")
    return folder


def test_modules_are_named_and_come_back(labse, tmp_path, capsys):
    """Dense, Normalize and cls pooling were ignored without a word: 16 dimensions for 8."""
    from safetensors.torch import load_file

    assert main(["convert", str(labse), str(tmp_path / "ours")]) == 0
    printed = capsys.readouterr().out
    assert "sentence-transformers has cls pooling, Dense, Normalize there" in printed
    checkpoint = str(tmp_path / "ours" / "model.pt")
    assert main(["convert", checkpoint, str(tmp_path / "back")]) == 0
    for name in ("modules.json", "1_Pooling/config.json", "2_Dense/config.json"):
        first, second = (json.loads((f / name).read_text()) for f in (labse, tmp_path / "back"))
        assert first == second, name
    first, second = (
        load_file(f / "2_Dense" / "model.safetensors") for f in (labse, tmp_path / "back")
    )
    assert all(torch.equal(first[name], second[name]) for name in (*first, *second))
    assert main(["convert", checkpoint, str(tmp_path / "mean"), "--pooling", "mean"]) == 0
    assert not (tmp_path / "mean" / "2_Dense").exists()


def test_vectors_are_equal_there_and_back(labse, tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    lines = ["der rote Hund", "a house by the lake"]
    assert main(["convert", str(labse), str(tmp_path / "ours")]) == 0
    assert main(["convert", str(tmp_path / "ours" / "model.pt"), str(tmp_path / "back")]) == 0
    first, second = (
        sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(lines)
        for folder in (labse, tmp_path / "back")
    )
    assert first.shape == (2, 8)
    np.testing.assert_allclose(first, second, atol=1e-5)
