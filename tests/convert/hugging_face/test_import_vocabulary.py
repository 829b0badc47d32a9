"""Vocabularies of Hugging Face folders that do not fit their embedding."""

import json

import pytest
import torch

from fairseq_amber.convert.hugging_face.import_vocabulary import read_vocabulary
from fairseq_amber.tokenizers.fairseq_order import MASK, SPECIALS
from wordpiece_samples import NAMES

safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")


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


def test_a_vocabulary_far_smaller_than_the_embedding_is_named(hf_xlmr, edited, convert, tmp_path):
    folder = edited(hf_xlmr)
    state = safetensors.load_file(folder / "model.safetensors")
    used = len(state["roberta.embeddings.word_embeddings.weight"])
    state["roberta.embeddings.word_embeddings.weight"] = torch.zeros(used + 300, 16)
    state["lm_head.bias"] = torch.zeros(used + 300)
    safetensors.save_file(state, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": used + 300}))
    printed = convert(folder, tmp_path / "ours")
    assert f"300 of the {used + 300} rows of the embedding have no token: they become" in printed
    listed = (tmp_path / "ours" / "dict.txt").read_text(encoding="utf-8").splitlines()
    assert listed[-300:] == [f"madeupword{i:04d} 1" for i in range(300)]


def test_each_symbol_has_its_row(hf_mbert, wordpieces):
    vocabulary, order, notes = read_vocabulary(hf_mbert, len(wordpieces))
    assert not notes
    names = dict(zip((*SPECIALS, MASK), NAMES))
    assert vocabulary.wordpiece and len(order) == len(vocabulary.symbols) == len(wordpieces)
    for symbol, row in zip(vocabulary.symbols, order):
        assert wordpieces[row] == names.get(symbol, symbol)


def test_a_token_with_a_line_end_is_named_and_its_row_kept(hf_mbert, wordpieces, edited):
    """tokenizer.json can list it; vocab.txt and dict.txt cannot."""
    from fairseq_amber.tokenizers.wordpiece_files import read_wordpiece

    folder = edited(hf_mbert)
    (folder / "vocab.txt").unlink()
    names = ["a\nb", *wordpieces[1:], "\r"]
    names[wordpieces.index("[PAD]")], names[1] = "[PAD]", "a\nb"
    model = {"type": "WordPiece", "continuing_subword_prefix": "##"}
    model["vocab"] = {name: row for row, name in enumerate(names)}
    listed = {
        "model": model,
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(listed))
    vocabulary, order, notes = read_vocabulary(folder, len(names))
    assert sorted(order) == list(range(len(names)))
    assert "2 tokens with a line end, which dict.txt cannot hold: 'a\\nb', '\\r'" in notes[0]
    assert vocabulary.symbols[order.index(1)] == "madeupword0000"
    assert vocabulary.symbols[order.index(2)] == names[2]
    assert read_wordpiece(folder / "tokenizer.json").tokens[names[-2]] == len(names) - 2
    assert vocabulary.dictionary()
