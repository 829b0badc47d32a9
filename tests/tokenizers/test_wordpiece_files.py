"""The files of WordPiece: their settings, line ends, special tokens, and what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.subwords import find_tokenizer
from fairseq_amber.tokenizers.wordpiece import WordPiece
from fairseq_amber.tokenizers.wordpiece_files import WordPieceSettings, parse_wordpiece
from wordpiece_samples import NAMES, STORED, write_folder


def test_special_tokens_of_other_names():
    config = {"cls_token": "<s>", "unk_token": {"content": "<?>"}, "do_lower_case": False}
    lines = ["[PAD]", "<s>", "[SEP]", "<?>", "[MASK]", "a"]
    files = parse_wordpiece("\n".join(lines).encode(), json.dumps(config).encode())
    assert files.order.rows == [1, 0, 2, 3, 5, 4] and files.order.listed == ["a"]
    assert parse_wordpiece(files.vocab, files.settings.encode()) == files
    pytest.importorskip("tokenizers")
    assert WordPiece(files).encode(["a b a"])[0].tolist() == [5, 3, 5]


def test_line_ends():
    text = "\r\n".join([*STORED, "", ""])
    assert list(parse_wordpiece(text.encode()).tokens) == STORED
    with pytest.raises(UserError, match="v.txt is not UTF-8"):
        parse_wordpiece(b"a\n\xff\n", source="v.txt")


def test_case_follows_the_configuration_else_the_vocabulary():
    cased = "\n".join(STORED).encode()
    assert parse_wordpiece(cased).settings == WordPieceSettings(False)
    uncased = "\n".join([*NAMES, "[ENTITY]", "a", "Ꭰ"]).encode()
    assert parse_wordpiece(uncased).settings == WordPieceSettings(True)
    config = {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}
    settings = parse_wordpiece(cased, json.dumps(config).encode()).settings
    assert settings == WordPieceSettings(True, False, False)
    assert parse_wordpiece(cased, settings.encode()).settings == settings
    normalizer = {"lowercase": True, "strip_accents": True, "handle_chinese_chars": False}
    listed = {"normalizer": normalizer}
    settings = parse_wordpiece(cased, b'{"strip_accents": false}', listed=listed).settings
    assert settings == WordPieceSettings(True, False, False)


@pytest.mark.parametrize(
    "config, message",
    [
        ("[1", "c.json is damaged"),
        ("[]", "c.json is damaged"),
        ('{"do_lower_case": "yes"}', "c.json: do_lower_case is 'yes'; it must be true or false"),
        ('{"tokenize_chinese_chars": null}', "c.json: tokenize_chinese_chars is None"),
        ('{"cls_token": 7}', "c.json: a special token is not a string"),
        ('{"tokenizer_class": "BertJapaneseTokenizer"}', "c.json: BertJapaneseTokenizer"),
    ],
)
def test_bad_configurations(config: str, message: str):
    with pytest.raises(UserError, match=message):
        parse_wordpiece("\n".join(STORED).encode(), config.encode(), config_source="c.json")


def test_a_folder_with_tokenizer_json_alone(pieces, tmp_path: Path):
    """What newer versions of transformers write."""
    transformers = pytest.importorskip("transformers")
    settings = WordPieceSettings(False, True, False)
    old = write_folder(tmp_path / "old", pieces, settings)
    new = tmp_path / "new"
    transformers.BertTokenizer.from_pretrained(str(old)).save_pretrained(str(new))
    (new / "vocab.txt").unlink(missing_ok=True)
    for config in (True, False):
        if not config:
            (new / "tokenizer_config.json").unlink()
        found = find_tokenizer(new)
        assert found.files == find_tokenizer(old).files
        assert found == find_tokenizer(new / "tokenizer.json")


def test_a_tokenizer_json_of_another_kind(tmp_path: Path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "Unigram", "vocab": [["a", 0.0]]}, "normalizer": null}')
    with pytest.raises(UserError, match="tokenizer.json is not a WordPiece tokenizer like BERT's"):
        find_tokenizer(tmp_path)


def test_a_byte_order_mark_is_named():
    """It hid the first token, so that [PAD] was said to be missing."""
    with pytest.raises(UserError, match="v.txt:1: begins with a byte order mark"):
        parse_wordpiece("\ufeff[PAD]\na\n".encode(), source="v.txt")


def test_a_vocabulary_and_a_tokenizer_json_of_two_models(tmp_path: Path):
    """vocab.txt was read alone, although transformers takes what the other file says."""
    (tmp_path / "vocab.txt").write_text("\n".join(STORED) + "\n")
    numbers = {token: row for row, token in enumerate(STORED)}
    model = {"type": "WordPiece", "vocab": numbers}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert find_tokenizer(tmp_path)
    last, other = STORED[-1], STORED[-2]
    numbers[last], numbers[other] = numbers[other], numbers[last]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(UserError, match=r"vocab.txt gives .*tokenizer.json .* of two models"):
        find_tokenizer(tmp_path)


def test_tokens_that_are_left_out():
    """Line 3 is named by an added token alone, line 4 by none, and "b" counts in its last line."""
    added = [{"content": content, "id": row} for content, row in (("<x>", 3), ("<y>", 12))]
    lines = ["[PAD]", "b", "a", "", "", "[UNK]", "[CLS]", "c", "[SEP]", "[MASK]", "b", "##a"]
    files = parse_wordpiece("\n".join(lines).encode(), listed={"added_tokens": added})
    smaller = files.trimmed({"##a", "b"})
    kept = ["[PAD]", "", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "b", "##a"]
    assert smaller.vocab.decode() == "".join(f"{line}\n" for line in kept)
    assert [(token.content, token.number) for token in smaller.settings.added] == [
        ("<x>", 1),
        ("<y>", 8),
    ]
    assert parse_wordpiece(smaller.vocab, smaller.settings.encode()) == smaller
    assert smaller.order.listed == ["<x>", "b", "##a", "<y>"]
