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


def test_a_vocabulary_far_smaller_than_the_embedding(hf_xlmr, edited, refused):
    folder = edited(hf_xlmr)
    state = safetensors.load_file(folder / "model.safetensors")
    rows = len(state["roberta.embeddings.word_embeddings.weight"]) + 128
    state["roberta.embeddings.word_embeddings.weight"] = torch.zeros(rows, 16)
    state["lm_head.bias"] = torch.zeros(rows)
    safetensors.save_file(state, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": rows}))
    assert "the vocabulary is smaller" in refused(folder)


def test_each_symbol_has_its_row(hf_mbert, wordpieces):
    vocabulary, order = read_vocabulary(hf_mbert, len(wordpieces))
    names = dict(zip((*SPECIALS, MASK), NAMES))
    assert vocabulary.wordpiece and len(order) == len(vocabulary.symbols) == len(wordpieces)
    for symbol, row in zip(vocabulary.symbols, order):
        assert wordpieces[row] == names.get(symbol, symbol)
