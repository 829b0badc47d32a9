"""A pretrained folder as it was published gives the vectors of transformers."""

import numpy as np
import pytest
import torch

from fairseq_amber import load
from fairseq_amber.errors import UserError
from fairseq_amber.inference.checkpoint import load_model
from hugging_face_folders import LINES, means, save_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    for package in ("transformers", "safetensors", "tokenizers"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    return save_bert(tmp_path_factory.mktemp("published") / "bert", model="BertModel")


def test_vectors_are_those_of_transformers(pretrained, bert):
    """Their means over all tokens are sentence-transformers' mean pooling."""
    for folder in (pretrained, bert):
        encoder = load(folder, device="cpu")
        torch.testing.assert_close(encoder.embed(LINES), means(folder, LINES), atol=1e-5, rtol=0)
        assert encoder.config["checkpoint"] == str(folder)
        assert encoder.config["architecture"] == "amber"


def test_what_is_left_out_is_said_once(bert, pretrained, caplog):
    load(bert, device="cpu")
    (said,) = caplog.messages
    assert said.startswith(f"{bert}: left out: ") and "pooler" in said
    caplog.clear()
    load(pretrained, device="cpu")
    (said,) = caplog.messages
    assert said.startswith(f"{pretrained}: 3 of the ")


def test_a_data_folder_must_have_the_vocabulary_of_the_model(pretrained, bert, pretrained_data):
    given = load(pretrained, data=pretrained_data, device="cpu")
    assert given.data == pretrained_data and given.vocabulary is None
    assert torch.equal(given.embed(LINES), load(pretrained, device="cpu").embed(LINES))
    with pytest.raises(UserError, match="dict.txt is not the dictionary that .*bert was trained"):
        load(bert, data=pretrained_data)


def test_an_untrained_twin(pretrained):
    first, same, other = (load_model(pretrained, reinitialize=seed) for seed in (1, 1, 2))
    weights = [found.model.encoder.lm_head.dense.weight for found in (first, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert first.config["reinitialized_with_seed"] == 1 and first.config["updates"] == 0


def test_a_command_takes_the_folder(pretrained, fairseq_amber_command, tmp_path):
    text, out = tmp_path / "text.de", tmp_path / "vectors.npy"
    text.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    status, printed, _ = fairseq_amber_command("embed", pretrained, text, out, "--device", "cpu")
    assert status == 0 and "4 vectors of 16" in printed
    expected = load(pretrained, device="cpu").embed(LINES)
    torch.testing.assert_close(torch.from_numpy(np.load(out)), expected, atol=1e-6, rtol=0)
