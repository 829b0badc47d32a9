"""Prompts of sentence-transformers: read, named, and written so that it adds them by default."""

import json

import pytest
import torch

from fairseq_amber.convert.hugging_face.sentence_prompts import (
    PROMPTS_NAME,
    prompt_notes,
    with_default_prompt,
)
from fairseq_amber.inference.encoder import Encoder

E5 = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None}


@pytest.mark.parametrize("settings", [{}, {"prompts": {"query": ""}}, {"prompts": ["query"]}])
def test_a_model_without_prompts_needs_no_word(settings):
    assert prompt_notes(settings, pooled=True) == []


def test_the_note_says_which_prefix_to_give():
    [note] = prompt_notes(E5, pooled=True)
    assert note.endswith("such as --prefix 'query: '") and "'passage: '" in note
    [note] = prompt_notes({**E5, "default_prompt_name": "passage"}, pooled=True)
    assert note.endswith("such as --prefix 'passage: '")
    [note] = prompt_notes({"prompts": {"query": "Task\nQuery: "}}, pooled=False)
    assert "\n" not in note and "--prefix $'Task\\nQuery: ', whose states they pool, wh" in note


@pytest.mark.parametrize(
    "before, prefix, prompts, name",
    [
        ({}, "q: ", {"query": "q: ", "document": "q: "}, "query"),
        (E5, "passage: ", E5["prompts"], "passage"),
        (
            {"prompts": {"query": "", "sts": "s: "}},
            "q: ",
            {"query": "q: ", "sts": "s: ", "document": "q: "},
            "query",
        ),
    ],
)
def test_a_prefix_becomes_the_default_prompt(before, prefix, prompts, name):
    files = {PROMPTS_NAME: json.dumps({"similarity_fn_name": "dot", **before}).encode()}
    made = json.loads(with_default_prompt({**files, "modules.json": b"[]"}, prefix)[PROMPTS_NAME])
    assert made.pop("prompts") == prompts
    assert made == {"similarity_fn_name": "dot", "default_prompt_name": name}


@pytest.fixture
def prefixed(fairseq_xlmr, tmp_path, convert):
    """A converted model, and the folder that was made of it for sentence-transformers."""
    convert(fairseq_xlmr, tmp_path / "ours", "--prefix", "the dog: ")
    convert(tmp_path / "ours" / "model.pt", tmp_path / "back")
    return tmp_path / "ours" / "model.pt", tmp_path / "back"


def test_a_prefix_is_kept_on_the_way_through_a_checkpoint(prefixed, tmp_path, convert):
    checkpoint, folder = prefixed
    kept, written = (
        json.loads((place / PROMPTS_NAME).read_text())
        for place in (checkpoint.parent / "sentence-transformers", folder)
    )
    assert written == kept and written["default_prompt_name"] == "query"
    assert "give embed, retrieve and mine the one that fits, such as --prefix 'the dog: '" in (
        convert(folder, tmp_path / "again")
    )
    convert(checkpoint, tmp_path / "cls", "--pooling", "cls")
    assert json.loads((tmp_path / "cls" / PROMPTS_NAME).read_text()) == written


def test_sentence_transformers_adds_the_prefix_as_embed_does(prefixed):
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed"
    )
    lines = ["ein rotes Haus", "", "Кошка спит"]
    checkpoint, folder = prefixed
    encoder = Encoder.load(checkpoint, device="cpu")
    ours = encoder.embed(lines, prefix="the dog: ")
    assert not torch.allclose(ours, encoder.embed(lines), atol=1e-3)
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    for name in ("encode", "encode_query", "encode_document"):
        encode = getattr(model, name, model.encode)  # the last two came with version 5
        torch.testing.assert_close(encode(lines, convert_to_tensor=True), ours, atol=1e-5, rtol=0)


def test_states_of_a_prompt_that_are_not_pooled_are_named(prefixed, tmp_path, convert):
    _, folder = prefixed
    pooling = folder / "1_Pooling" / "config.json"
    settings = {**json.loads(pooling.read_text()), "include_prompt": False}
    pooling.write_text(json.dumps(settings))
    assert "where sentence-transformers leaves them out" in convert(folder, tmp_path / "again")
