"""Whatever does not fit is refused in one line, before anything is written."""

import argparse
import json
import shutil

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file


@pytest.fixture
def edited(tmp_path):
    """A copy of a folder to spoil."""

    def copy(folder):
        return shutil.copytree(folder, tmp_path / "edited")

    return copy


@pytest.fixture
def refused(complaint, tmp_path):
    """Converts what must fail; returns the line. Nothing is left behind."""

    def run(source, *flags):
        before = set(tmp_path.iterdir())
        line = complaint("convert", source, tmp_path / "out", *flags)
        assert set(tmp_path.iterdir()) == before
        return line

    return run


def change_config(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def change_checkpoint(folder, edit):
    state = read_torch_file(folder / "model.pt")
    edit(state)
    torch.save(state, folder / "model.pt")


class RunsCode:
    def __reduce__(self):
        return eval, ("1 / 0",)


def test_a_checkpoint_that_holds_code(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: state.update(extra_state=RunsCode()))
    line = refused(folder)
    assert "model.pt is refused: it holds" in line and "eval" in line


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"<html>404</html>"])
def test_a_file_that_is_no_checkpoint(content, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    (folder / "model.pt").write_bytes(content)
    assert "model.pt is no whole checkpoint" in refused(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint(zipped, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    if zipped:
        change_checkpoint(folder, lambda state: None)
    content = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(content[: len(content) * 2 // 3])
    assert "model.pt is no whole checkpoint" in refused(folder)


def test_a_dictionary_that_is_smaller_or_larger_than_the_embedding(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = len(lines) + 5
    (folder / "dict.txt").write_text("".join(lines[:-2]), encoding="utf-8")
    line = refused(folder)
    assert f"dictionary of {rows - 2} symbols, <mask> included, but the embedding" in line
    assert f"{rows} rows: the dictionary is smaller" in line and "madeupword0000" in line
    (folder / "dict.txt").write_text("".join(lines) + "extra 1\n", encoding="utf-8")
    assert f"{rows} rows: the dictionary is larger" in refused(folder)


def test_another_dictionary_of_the_same_size(fairseq_xlmr, tmp_path, convert, refused):
    convert(fairseq_xlmr, tmp_path / "ours")
    path = tmp_path / "ours" / "dict.txt"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(reversed(lines)), encoding="utf-8")
    assert "is not the dictionary that" in refused(tmp_path / "ours" / "model.pt")


def test_missing_files_of_a_fairseq_folder(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    (folder / "sentencepiece.bpe.model").unlink()
    assert "holds neither sentencepiece.bpe.model nor vocab.txt" in refused(folder)
    (folder / "dict.txt").unlink()
    assert "no dict.txt beside" in refused(folder)
    (folder / "model.pt").unlink()
    assert "neither config.json (Hugging Face) nor model.pt (fairseq)" in refused(folder)
    assert "cannot read" in refused(folder / "nothing.pt")


@pytest.mark.parametrize(
    "setting, value",
    [
        ("activation_fn", "relu"),
        ("encoder_normalize_before", True),
        ("untie_weights_roberta", True),
    ],
)
def test_a_roberta_that_this_model_cannot_be(setting, value, fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: setattr(state["args"], setting, value))
    assert f"has {setting} = {value}, where this model has" in refused(folder)


def test_another_model_of_fairseq(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)
    change_checkpoint(folder, lambda state: state.update(model={"w": torch.zeros(2)}))
    assert "holds another model than RoBERTa's" in refused(folder)
    change_checkpoint(folder, lambda state: state.update(args=None))
    assert "not the settings" in refused(folder)


def test_parameters_that_are_missing_or_heads_that_do_not_fit(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)

    def drop(state):
        del state["model"]["decoder.sentence_encoder.layers.1.fc2.bias"]

    change_checkpoint(folder, drop)
    assert "lacks encoder.sentence_encoder.layers.1.fc2.bias (1 such" in refused(folder)
    change_checkpoint(folder, lambda state: setattr(state["args"], "encoder_attention_heads", 3))
    assert "a model of dimension 16 cannot have 3 attention heads" in refused(folder)


def test_output_weights_of_their_own(fairseq_xlmr, edited, refused):
    folder = edited(fairseq_xlmr)

    def untie(state):
        state["model"]["decoder.lm_head.weight"] = torch.zeros_like(
            state["model"]["decoder.lm_head.weight"]
        )

    change_checkpoint(folder, untie)
    assert "has output weights of their own" in refused(folder)


@pytest.mark.parametrize(
    "setting, value, message",
    [
        ("model_type", "distilbert", "of the type distilbert; bert and xlm-roberta can"),
        ("hidden_act", "gelu_new", "hidden_act is gelu_new, where this model has gelu"),
        ("position_embedding_type", "relative_key", "position_embedding_type is relative_key"),
        ("vocab_size", 7, "says vocab_size 7 but the embedding of the weights has"),
        ("num_hidden_layers", 4, r"lacks encoder.sentence_encoder.layers.3.self_attn.k_proj"),
        ("num_hidden_layers", 2, "parameters that this model has no place for"),
        ("num_attention_heads", 5, "a model of dimension 16 cannot have 5 attention heads"),
        ("intermediate_size", 41, "its files do not belong together"),
        ("max_position_embeddings", 70, "its files do not belong together"),
        ("hidden_size", "many", "has a setting of another kind"),
    ],
)
def test_a_config_that_does_not_fit(setting, value, message, hf_mbert, edited, refused):
    folder = edited(hf_mbert)
    change_config(folder, **{setting: value})
    assert message in refused(folder)


def test_a_config_that_is_missing_or_broken(hf_mbert, edited, refused):
    folder = edited(hf_mbert)
    content = json.loads((folder / "config.json").read_text())
    del content["hidden_size"]
    (folder / "config.json").write_text(json.dumps(content))
    assert "config.json has no hidden_size" in refused(folder)
    (folder / "config.json").write_text("{")
    assert "config.json is damaged" in refused(folder)


def test_weights_that_are_missing_or_broken(hf_mbert, edited, refused):
    folder = edited(hf_mbert)
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    assert "is no whole safetensors file" in refused(folder)
    (folder / "model.safetensors").unlink()
    assert "has no weights: neither model.safetensors nor pytorch_model.bin" in refused(folder)
    torch.save({"a": RunsCode()}, folder / "pytorch_model.bin")
    assert "is refused: it holds" in refused(folder)
    torch.save(argparse.Namespace(), folder / "pytorch_model.bin")
    assert "holds other things than weights" in refused(folder)


def test_vocabularies_that_do_not_fit(hf_mbert, wordpieces, edited, refused):
    folder = edited(hf_mbert)

    def write(lines):
        (folder / "vocab.txt").write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")

    write([*wordpieces, "more"])
    assert "the vocabulary is larger" in refused(folder)
    write([x for x in wordpieces if x != "[MASK]"])
    assert "vocab.txt has no [MASK], which this model needs" in refused(folder)
    write([x if x != "##t" else "<mask>" for x in wordpieces])
    assert "lists '<mask>', which fairseq has another use for" in refused(folder)
    (folder / "vocab.txt").unlink()
    assert "has no vocabulary: neither" in refused(folder)


def test_a_vocabulary_far_smaller_than_the_embedding(hf_xlmr, edited, refused):
    folder = edited(hf_xlmr)
    state = __import__("safetensors.torch").torch.load_file(folder / "model.safetensors")
    rows = len(state["roberta.embeddings.word_embeddings.weight"]) + 128
    state["roberta.embeddings.word_embeddings.weight"] = torch.zeros(rows, 16)
    state["lm_head.bias"] = torch.zeros(rows)
    __import__("safetensors.torch").torch.save_file(state, folder / "model.safetensors")
    change_config(folder, vocab_size=rows)
    assert "the vocabulary is smaller" in refused(folder)


def test_an_output_that_is_not_empty_is_left_alone(hf_mbert, tmp_path, complaint):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    assert "exists and is not empty" in complaint("convert", hf_mbert, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_pieces_that_the_dictionary_lacks_cannot_be_exported(fairseq_xlmr, edited, refused):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    folder = edited(fairseq_xlmr)
    lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "dict.txt").write_text("".join(["other 1\n", *lines[1:]]), encoding="utf-8")
    line = refused(folder, "--to", "hugging-face")
    assert "1 pieces of sentencepiece.bpe.model are not in dict.txt" in line


@pytest.mark.parametrize("package", ["safetensors.torch", "tokenizers"])
def test_a_missing_package_is_named(package, fairseq_xlmr, monkeypatch, refused):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    monkeypatch.setitem(__import__("sys").modules, package, None)
    line = refused(fairseq_xlmr, "--to", "hugging-face")
    assert f"the package {package.split('.')[0]} is missing; pip install" in line
