"""Folders that hold a model one floor below give the same weights."""

import shutil

import pytest
import torch

from fairseq_amber.convert.reading import read_source, read_vocabulary_of
from fairseq_amber.convert.vocabulary import Vocabulary
from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import read_torch_file

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


def test_a_model_must_have_the_vocabulary_of_the_text(hf_xlmr, fairseq_xlmr, convert, tmp_path):
    """By the fingerprint in a checkpoint, by the dict.txt beside it, else by the number of rows."""
    convert(hf_xlmr, tmp_path / "ours")
    bare = tmp_path / "bare.pt"
    shutil.copy(fairseq_xlmr / "model.pt", bare)
    for source in (hf_xlmr, fairseq_xlmr, tmp_path / "ours" / "model.pt", bare):
        given = fairseq_xlmr if source == bare else source
        model = read_source(given).model
        symbols = model.vocabulary.symbols
        found = read_source(source, expected=Vocabulary(symbols, {}, "data/dict.txt")).model
        assert all(torch.equal(value, found.weights[n]) for n, value in model.weights.items())
        moved = Vocabulary([*symbols[1:], symbols[0]], {}, "data/dict.txt")
        longer = Vocabulary([*symbols, "x"], {}, "data/dict.txt")
        for other in [longer] if source == bare else [longer, moved]:
            with pytest.raises(UserError, match=f"fairseq-amber prepare .* --tokenizer {source}"):
                read_source(source, expected=other)


def test_the_vocabulary_alone_has_a_symbol_for_each_row(hf_mbert, hf_xlmr, fairseq_xlmr, tmp_path):
    state = read_torch_file(fairseq_xlmr / "model.pt")
    state["args"].data = str(fairseq_xlmr)
    torch.save(state, tmp_path / "run.pt")
    for source in (hf_mbert, hf_xlmr, fairseq_xlmr / "model.pt", tmp_path / "run.pt"):
        vocabulary, model = read_vocabulary_of(source), read_source(source).model
        assert vocabulary == model.vocabulary
        assert len(vocabulary.symbols) == len(model.weights["encoder.lm_head.bias"])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "distilbert"}')
    assert read_vocabulary_of(tmp_path / "other") is None
    (tmp_path / "other" / "config.json").write_text('{"model_type": "bert", "vocab_size": "x"}')
    with pytest.raises(UserError, match="config.json: vocab_size is 'x'; fetch it again"):
        read_vocabulary_of(tmp_path / "other")
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(UserError, match="list.pt is not a checkpoint of fairseq-train"):
        read_vocabulary_of(tmp_path / "list.pt")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match="has neither config.json"):
        read_source(tmp_path, None)
