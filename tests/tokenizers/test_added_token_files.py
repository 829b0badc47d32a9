"""Added tokens, from each of the files in which versions of transformers list them."""

import json

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.added_token_files import (
    AddedToken,
    encode_added_tokens,
    parse_added_tokens,
    read_added_tokens,
)

FLAGS = {"single_word": True, "lstrip": False, "rstrip": True, "normalized": False}


def parse(listed=None, config=None, old=None):
    return parse_added_tokens(("[PAD]",), "folder", listed or {}, config or {}, old or {})


def test_each_file_gives_the_same_tokens():
    entry = {"content": "x", "special": True, **FLAGS}
    pad = {"content": "[PAD]", "special": True}
    expected = (AddedToken("x", 7, True, False, True, False, True),)
    assert parse(listed={"added_tokens": [{**pad, "id": 0}, {**entry, "id": 7}]}) == expected
    config = {"added_tokens_decoder": {"0": pad, "7": entry}}
    assert parse(config=config) == expected
    assert parse(listed={"added_tokens": [{**entry, "id": 7}]}, config=config) == expected
    assert parse(config=encode_added_tokens(expected)) == expected
    assert encode_added_tokens(()) == {}


def test_the_oldest_file_tells_no_flags():
    special = {"additional_special_tokens": ["<e>", {"content": "<f>"}]}
    tokens = parse(config=special, old={"<f>": 9, "word": 7, "<e>": 8, "[PAD]": 0})
    assert [(t.content, t.number, t.special, t.normalized) for t in tokens] == [
        ("word", 7, False, True),
        ("<e>", 8, True, False),
        ("<f>", 9, True, False),
    ]


def test_a_folder_without_any(tmp_path):
    assert read_added_tokens(tmp_path, ()) == ()
    (tmp_path / "added_tokens.json").write_text(json.dumps({"a": 3}))
    assert read_added_tokens(tmp_path, ()) == (AddedToken("a", 3),)


@pytest.mark.parametrize("value", [1, "x", [1], [None], {"a": 1}, [{"id": 3}], [{"content": ""}]])
def test_damage_is_named(value):
    with pytest.raises(UserError, match="folder/tokenizer.json is damaged: .*; fetch it again"):
        parse(listed={"added_tokens": value})


@pytest.mark.parametrize(
    "value", [1, [1], {"x": {"content": "a"}}, {"1": 3}, {"1": {"content": 2}}]
)
def test_damage_of_the_configuration_is_named(value):
    with pytest.raises(UserError, match="tokenizer_config.json is damaged"):
        parse(config={"added_tokens_decoder": value})


def test_other_mistakes_are_named():
    with pytest.raises(UserError, match="the added token 'a' is not what transformers writes"):
        parse(listed={"added_tokens": [{"content": "a", "id": 1, "lstrip": "no"}]})
    for number in (-1, 1.5, True, None, "x"):
        with pytest.raises(UserError, match="added_tokens.json is damaged"):
            parse(old={"a": number})
    with pytest.raises(UserError, match="gives the number 3 both to 'a' and to 'b'"):
        parse(old={"a": 3, "b": 3})
