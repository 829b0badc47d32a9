"""Any value of prepare.json may be of any JSON type."""

from __future__ import annotations

import copy
import json
from typing import Any, Iterator

import pytest

from fairseq_amber.preparation.corpus.manifest_form import is_manifest

CONTENT: dict[str, Any] = {
    "vocabulary": {"settings": {"vocab_size": 9, "model_type": "bpe"}, "text": {"train.de": "1"}},
    "digests": {"dict.txt": "d"},
    "filters": {"max_ratio": 4.0, "deduplicate": False},
    "corpora": {
        "parallel/de-en/train": {
            "sources": {"train.de-en.de": "1"},
            "outputs": {"a": 2},
            "output_digests": {"a": "d"},
            "counts": {
                "lines": 2,
                "kept": 1,
                "dropped": {"empty": 1},
                "tokens": [5, 6],
                "unknown": [0, 1],
            },
        }
    },
    "format": 1,
    "word_boundaries": None,
}


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The keys that lead to each value in a tree, the tree itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items if isinstance(value, (dict, list)) else ():
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from places(item, (*path, key))


def at(content: Any, path: tuple) -> Any:
    for key in path:
        content = content[key]
    return content


def test_what_prepare_writes_has_the_form():
    assert is_manifest(CONTENT)
    assert is_manifest({**CONTENT, "vocabulary": {}, "word_boundaries": "moses"})
    assert is_manifest({key: CONTENT[key] for key in CONTENT if key != "word_boundaries"})


def replaced(path: tuple, value: Any) -> Any:
    content = copy.deepcopy(CONTENT)
    at(content, path[:-1])[path[-1]] = value
    return content


@pytest.mark.parametrize("path", list(places(CONTENT)), ids=str)
def test_no_value_may_be_of_another_type(path):
    settings = len(path) > 1 and (path[0] == "filters" or "settings" in path[:-1])
    allowed: list = [None, True, -1, 1.5, "x"] if settings else []
    allowed += {("vocabulary",): [{}], ("word_boundaries",): ["x"]}.get(path, [])
    for other in (None, True, -1, 1.5, "x", [], [1, 2, 3], {}, {"x": {}}, {"x": "y"}):
        if type(other) is not type(at(CONTENT, path)):
            assert is_manifest(replaced(path, other)) == (other in allowed), other


@pytest.mark.parametrize("path", list(places(CONTENT)), ids=str)
def test_no_text_may_hold_control_characters(path):
    if isinstance(at(CONTENT, path), str):
        assert not is_manifest(replaced(path, "x\ny")) and not is_manifest(replaced(path, "\x1b"))


@pytest.mark.parametrize("path", list(places(CONTENT)), ids=str)
def test_no_key_may_be_another(path):
    content = copy.deepcopy(CONTENT)
    parent = at(content, path[:-1])
    if isinstance(parent, dict):
        parent["a\x1b"] = parent.pop(path[-1])
        assert not is_manifest(json.loads(json.dumps(content)))
