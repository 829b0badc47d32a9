"""Hugging Face folders as they come: old names, half precision, shards, other heads, padding."""

import argparse
import json
import shutil

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")

NAME = "model.safetensors"


@pytest.fixture
def spoiled(tmp_path, convert):
    """Edits the weights of a copy of a folder, converts it, and returns our weights."""

    def run(folder, edit, save=None, **settings):
        copy = shutil.copytree(folder, tmp_path / "copy")
        weights = edit(dict(safetensors.load_file(copy / NAME)))
        (copy / NAME).unlink()
        (save or (lambda w, f: safetensors.save_file(w, f / NAME)))(weights, copy)
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, **settings}))
        printed = convert(copy, tmp_path / "ours")
        return torch.load(tmp_path / "ours" / "model.pt")["model"], printed

    return run


@pytest.fixture
def expected(hf_mbert, tmp_path, convert):
    convert(hf_mbert, tmp_path / "plain")
    return torch.load(tmp_path / "plain" / "model.pt")["model"]


def assert_equal(ours, expected):
    assert list(ours) == list(expected)
    for name, value in expected.items():
        assert torch.equal(ours[name], value), name


def test_names_of_the_first_files_as_pytorch_model_bin(hf_mbert, expected, spoiled):
    def old(weights):
        names = {
            name: name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
            for name in weights
        }
        weights = {names[name]: value for name, value in weights.items()}
        weights["bert.pooler.dense.weight"] = torch.zeros(16, 16)
        weights["bert.embeddings.position_ids"] = torch.arange(64)[None]
        weights["cls.seq_relationship.weight"] = torch.zeros(2, 16)
        table = weights["bert.embeddings.word_embeddings.weight"]
        weights["cls.predictions.decoder.weight"] = table
        weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"]
        return weights

    def save(weights, folder):
        torch.save(weights, folder / "pytorch_model.bin")

    ours, printed = spoiled(hf_mbert, old, save)
    assert_equal(ours, expected)
    left_out = "bert.embeddings.position_ids, bert.pooler.dense.weight, cls.seq_relationship.weight"
    assert printed.startswith(f"left out: {left_out}\n")


def test_shards(hf_mbert, expected, spoiled):
    def save(weights, folder):
        names = sorted(weights)
        where = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(names)}
        for shard in set(where.values()):
            part = {name: weights[name] for name in names if where[name] == shard}
            safetensors.save_file(part, folder / shard)
        (folder / f"{NAME}.index.json").write_text(json.dumps({"weight_map": where}))

    ours, _ = spoiled(hf_mbert, lambda weights: weights, save)
    assert_equal(ours, expected)


def test_half_precision(hf_mbert, expected, spoiled):
    ours, _ = spoiled(hf_mbert, lambda weights: {n: w.half() for n, w in weights.items()})
    assert_equal(ours, {name: value.half().float() for name, value in expected.items()})


def test_a_model_without_a_head_gets_a_new_one(hf_mbert, expected, spoiled):
    def bare(weights):
        return {n[len("bert.") :]: w for n, w in weights.items() if n.startswith("bert.")}

    ours, printed = spoiled(hf_mbert, bare)
    assert "it has no language model head" in printed
    encoder = [name for name in expected if not name.startswith("encoder.lm_head")]
    assert all(torch.equal(ours[name], expected[name]) for name in encoder)
    table = "encoder.sentence_encoder.embed_tokens.weight"
    assert torch.equal(ours["encoder.lm_head.weight"], ours[table])
    assert not ours["encoder.lm_head.bias"].any() and ours["encoder.lm_head.dense.weight"].any()


def test_rows_that_pad_the_embedding_are_kept(hf_mbert, wordpieces, spoiled, tmp_path, convert):
    rows = len(wordpieces) + 3

    def pad(weights):
        for name in ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"):
            extra = torch.full((3, *weights[name].shape[1:]), 0.5)
            weights[name] = torch.cat([weights[name], extra])
        return weights

    spoiled(hf_mbert, pad, vocab_size=rows)
    lines = (tmp_path / "ours" / "dict.txt").read_text(encoding="utf-8").splitlines()
    assert lines[-3:] == [f"madeupword000{i} 1" for i in range(3)]
    convert(tmp_path / "ours" / "model.pt", tmp_path / "back")
    first, second = (safetensors.load_file(tmp_path / folder / NAME) for folder in ("copy", "back"))
    for name in ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"):
        assert torch.equal(first[name], second[name])


@pytest.mark.parametrize("types", [1, 2])
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_token_types_and_positions_with_xlmrs_vocabulary(kind, types, hf_xlmr, tmp_path, convert):
    """Multilingual MiniLM is a BERT with XLM-R's vocabulary; other XLM-Rs have two types."""
    from fairseq_amber.inference.checkpoint import load_model

    source = json.loads((hf_xlmr / "config.json").read_text())
    config = transformers.AutoConfig.for_model(
        kind,
        **{key: source[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers")},
        num_attention_heads=4,
        intermediate_size=40,
        initializer_range=0.3,
        max_position_embeddings=40,
        type_vocab_size=types,
        pad_token_id=0 if kind == "bert" else 1,
        layer_norm_eps=1e-3,
    )
    torch.manual_seed(5)
    model = transformers.AutoModelForMaskedLM.from_config(config).eval()
    folder = tmp_path / "theirs"
    model.save_pretrained(folder)
    shutil.copy(hf_xlmr / "sentencepiece.bpe.model", folder)
    convert(folder, tmp_path / "ours")
    ours = load_model(tmp_path / "ours" / "model.pt").model
    convert(tmp_path / "ours" / "model.pt", tmp_path / "back")
    back = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "back").eval()
    tokens = torch.randint(4, source["vocab_size"], (3, 38))
    with torch.no_grad():
        expected = model(tokens, output_hidden_states=True)
        again = back(tokens, output_hidden_states=True)
        scores, extra = ours(tokens, return_all_hiddens=True)
    for state, middle, other in zip(expected.hidden_states, extra["layers"], again.hidden_states):
        torch.testing.assert_close(middle, state, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other, state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scores, expected.logits, atol=1e-5, rtol=1e-5)


class RunsCode:
    def __reduce__(self):
        return eval, ("1 / 0",)


def change_config(folder, **settings):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


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
        ("hidden_size", "many", "has a setting of the wrong type"),
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
    assert "is not a complete safetensors file" in refused(folder)
    (folder / "model.safetensors").unlink()
    assert "has no weights: neither model.safetensors nor pytorch_model.bin" in refused(folder)
    torch.save({"a": RunsCode()}, folder / "pytorch_model.bin")
    assert "is refused: it holds" in refused(folder)
    torch.save(argparse.Namespace(), folder / "pytorch_model.bin")
    assert "is not a dictionary of named tensors" in refused(folder)


@pytest.mark.parametrize("row", [-5, None, 1.0, True])
def test_a_row_of_padding_that_is_none(row, hf_xlmr, edited, refused):
    """A negative one moved all positions."""
    folder = edited(hf_xlmr)
    change_config(folder, pad_token_id=row)
    assert f"pad_token_id is {row!r}, which no row has" in refused(folder)
