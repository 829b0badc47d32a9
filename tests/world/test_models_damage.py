"""Folders of Hugging Face whose files are damaged: one line, and nothing is written."""

import copy
import json
import random

import pytest

from fairseq_amber.cli import main
from hugging_face_folders import save_bert, save_xlmr, with_added_tokens

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

VALUES = [None, True, 0, -1, 10**12, 1e300, "x", "", [], {}, [[]], [None], {"a": [1]}]


@pytest.fixture(scope="module", params=["bert", "xlmr"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    save = save_bert if request.param == "bert" else save_xlmr
    return with_added_tokens(save(place / "base"), place / "added", ["Quark"], ["<e1>"])


@pytest.fixture
def attempt(folder, tmp_path, capsys):
    """Converts the folder with other content in one file; returns the error, or ""."""

    def run(name, content):
        path = folder / name
        before = path.read_bytes()
        path.write_bytes(content)
        out = tmp_path / "out"
        try:
            status = main(["convert", str(folder), str(out)])
        finally:
            path.write_bytes(before)
        error = capsys.readouterr().err
        assert (status, error.count("\n"), out.exists()) in ((0, 0, True), (2, 1, False)), error
        if status == 0:
            import shutil

            shutil.rmtree(out)
        return error

    return run


def places(content, path=()):
    yield path
    items = content.items() if isinstance(content, dict) else ()
    items = enumerate(content[:3]) if isinstance(content, list) else items
    for key, value in items:
        yield from places(value, (*path, key))


def changed(content, path, value):
    if not path:
        return value
    content = inner = copy.deepcopy(content)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_any_value_at_any_place_of_a_json_file(name, folder, attempt):
    """A setting of another type ended in a traceback."""
    rng = random.Random(name)
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    found = list(places(content))
    errors = 0
    for _ in range(15):
        spoiled = changed(content, rng.choice(found), rng.choice(VALUES))
        errors += bool(attempt(name, json.dumps(spoiled).encode()))
    for value in VALUES[:9]:
        if not isinstance(value, dict):
            assert f"{name} is damaged" in attempt(name, json.dumps(value).encode())


@pytest.mark.parametrize(
    "key, value",
    [("model_type", []), ("hidden_size", 0), ("intermediate_size", -1), ("hidden_size", 10**12)],
)
def test_numbers_that_no_model_has(key, value, folder, attempt):
    content = json.loads((folder / "config.json").read_text())
    assert "config.json" in attempt("config.json", json.dumps({**content, key: value}).encode())


def test_a_tokenizer_of_another_kind_is_named(folder, attempt):
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"] = {"type": "BPE", "vocab": {"a": 0}, "merges": []}
    error = attempt("tokenizer.json", json.dumps(content).encode())
    assert (
        "of their kinds (Unigram, WordPiece); the tokenizer.json there is of the kind 'BPE'"
        in error
    )
