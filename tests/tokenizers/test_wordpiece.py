"""WordPiece, against stored cases, transformers' BertTokenizer and the tokenizers package."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.tokenizers.fairseq_order import fairseq_order
from fairseq_amber.tokenizers.subwords import find_tokenizer
from fairseq_amber.tokenizers.wordpiece import WordPiece
from fairseq_amber.tokenizers.wordpiece_files import (
    WordPieceSettings,
    parse_wordpiece,
    read_wordpiece,
)

MONO = Path(os.environ.get("AMBER_DATA", ""), "mono")
SETTINGS = [
    WordPieceSettings(*values)
    for values in itertools.product((True, False), (None, True, False), (True, False))
]
SPECIALS = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused2]"]

NASTY = [
    "",
    " ",
    "  two  spaces ",
    "Straße STRASSE ẞ İstanbul ıI Ωσς Ǆ ﬁn",
    "résumé re\u0301sume\u0301 Ångström A\u030angstro\u0308m",
    "don't stop-me_now (e.g. $3.50, 20%) <s> </s> a</s>b <mask>",
    "[CLS] [SEP] a[MASK]b [UNK] [PAD] [unused1] ##s # ## a##b",
    "中文字符 mixed漢字text，全角！ＡＢＣ１２３ 「日本語」の文章。カタカナひらがな",
    "字\u0301漢\u3099か\u3099。\u0301 、\u0301a",
    "\U00020000\U0002a6df\U0002f800豈更﨑 㐀䶿 龥鿿",
    "한국어 \u1112\u1161\u11ab글 ㄱㄴ",
    "ไทยไม่มีช่องว่าง ລາວ မြန်မာ ខ្មែរ བོད་ཡིག",
    "हिन्दी में क्षत्रिय। اَلْعَرَبِيَّةُ لغة، עִבְרִית",
    "tab\there\x0bvt\x0cff\x1cfs\x1dgs\x1ers\x1fus\x85nel\xa0nbsp\u2028ls\u2029ps\u3000is\u200azero",
    "nul\x00bel\x07del\x7fc1\x80\x9fshy\xadzwsp\u200bzwj\u200dbom\ufeffrlm\u200frepl\ufffd\ufffc",
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ☃\ufe0f \ue000 \U000f0000 \u0378",
    "\u0301\u0302 starts with marks q\u0323\u0307 q\u0307\u0323",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "é" * 60 + " " + "e\u0301" * 60,
    "漢" * 120 + "ア" * 101 + "」",
    "CamelCase ALLCAPS mIxEd 1234567890 3.14159 10^-3 ½ ² Ⅷ ①",
    "«guillemets» „quotes“ ‚a‘ …—–‐‑ ¿¡ § ° ` ~ ^ + = | \\",
]

_CHARACTERS = (
    "aAbBeE sS..,-'[]#1   éÉ\u0301\u0308\u0323\u3099İıßẞΣσςǅﬁ中文字漢豈\U00020000か。、「カﾊﾟ한"
    "\u1112\u1161ไทย\u0e48हि\u094dعَ\t\n\r\x00\x1c\x1f\x7f\x85\xa0\xad\u200b\u200d\u2028\u3000\ufeff"
    "\ufffd\ue000\u0378👍🏽"
)


def random_lines(count: int, seed: int = 0) -> list[str]:
    generator = random.Random(seed)
    return [
        "".join(generator.choices(_CHARACTERS, k=generator.randint(0, 40))) for _ in range(count)
    ]


def vocabulary_of(lines: list[str], size: int = 400) -> list[str]:
    """A vocabulary learnt from lines in many spellings, so that most of them is known."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIALS, min_frequency=1, show_progress=False
    )
    spellings = [
        [normalizer.normalize_str(line) for line in lines]
        for lower in (True, False)
        for strip in (True, False)
        for normalizer in [normalizers.BertNormalizer(strip_accents=strip, lowercase=lower)]
    ]
    tokenizer.train_from_iterator((line for some in spellings for line in some), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def encoded(subwords: WordPiece, lines: list[str]) -> list[list[int]]:
    numbers, lengths = subwords.encode(lines)
    assert numbers.dtype == np.int32 and lengths.tolist() and lengths.sum() == len(numbers)
    return [row.tolist() for row in np.split(numbers, np.cumsum(lengths)[:-1])]


def wordpiece(pieces: list[str], settings: WordPieceSettings) -> WordPiece:
    return WordPiece(parse_wordpiece("\n".join(pieces).encode("utf-8"), settings.encode()))


def write_folder(folder: Path, pieces: list[str], settings: WordPieceSettings) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
    (folder / "tokenizer_config.json").write_bytes(settings.encode())
    return folder


@pytest.fixture(scope="module")
def pieces() -> list[str]:
    pytest.importorskip("tokenizers")
    return vocabulary_of(NASTY)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_ids_are_those_of_transformers(pieces, settings: WordPieceSettings, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    folder = write_folder(tmp_path / "bert", pieces, settings)
    theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    ours = find_tokenizer(folder).load()
    lines = NASTY + random_lines(500)
    expected = theirs(lines, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    for _ in range(2):  # from the cache, too
        for line, ids, wanted in zip(lines, encoded(ours, lines), expected):
            assert ids == wanted, repr(line)
    known = [line for line in lines if "[" not in line]
    plain = theirs(known, add_special_tokens=False)["input_ids"]
    assert encoded(ours, known) == plain
    used = {i for ids in expected for i in ids}
    assert len(used) > 200 and pieces.index("[UNK]") in used


@pytest.mark.data
@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
@pytest.mark.parametrize("lower", [True, False], ids=["uncased", "cased"])
def test_ids_are_those_of_transformers_on_real_text(lower: bool, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    files = sorted(MONO.glob("*.txt"))
    assert len(files) >= 12
    texts = {path.stem: path.read_text(encoding="utf-8").split("\n")[:1000] for path in files}
    pieces = vocabulary_of([line for lines in texts.values() for line in lines[:300]], 8000)
    folder = write_folder(tmp_path / "bert", pieces, WordPieceSettings(lower))
    theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    ours = find_tokenizer(folder).load()
    for language, lines in texts.items():
        expected = theirs(lines, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert encoded(ours, lines) == expected, language


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_is_kept_of_earlier_strings_changes_nothing(pieces, settings, monkeypatch):
    lines = NASTY + random_lines(300, seed=1)
    ours = wordpiece(pieces, settings)
    whole = [ours._tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    assert encoded(ours, lines) == whole
    assert encoded(ours, lines) == whole
    monkeypatch.setattr("fairseq_amber.tokenizers.wordpiece._CACHED_STRINGS", 5)
    small = wordpiece(pieces, settings)
    assert encoded(small, lines) == whole and len(small._strings) <= 5


STORED = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
STORED += (
    "a re ##sume résu ##mé 中 文 don ' t [ mask ] MASK un ##believ ##able Un , . é ##é".split()
)
STORED += ["strasse", "straße", "##ße", "i", "##\u0307", "中文"]


@pytest.mark.parametrize(
    "settings, text, expected",
    [
        ((True,), "Unbelievable résumé, don't", "un ##believ ##able re ##sume , don ' t"),
        ((False,), "Unbelievable résumé, don't", "Un ##believ ##able résu ##mé , don ' t"),
        ((False, True), "résumé É é", "re ##sume [UNK] [UNK]"),
        ((True, False), "Résumé RE\u0301 É éé", "résu ##mé [UNK] é é ##é"),
        ((True,), "中文a文", "中 文 a 文"),
        ((True, None, False), "中文 a文", "中文 [UNK]"),
        ((True,), "a\x00\u200ba\tb\xa0a\u2028a\x1ca", "[UNK] [UNK] a [UNK]"),
        ((True,), "[MASK] [SEP]", "[ mask ] [ [UNK] ]"),
        ((False,), "[MASK]", "[ MASK ]"),
        ((True,), "STRASSE Straße", "strasse straße"),
        ((True,), "İ", "i"),
        ((True, False), "İ", "i ##\u0307"),
        ((True,), "a" * 101 + " a", "[UNK] a"),
        ((True,), " \u0301 ", ""),
    ],
)
def test_stored_cases(settings, text: str, expected: str):
    pytest.importorskip("tokenizers")
    ours = wordpiece(STORED, WordPieceSettings(*settings))
    assert [STORED[i] for i in encoded(ours, [text])[0]] == expected.split()


NAMES = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]


def test_the_order_of_fairseq():
    lines = ["[PAD]", "[unused1]", "b", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##a"]
    tokens = {token: row for row, token in enumerate(lines)}
    order = fairseq_order(tokens, NAMES, 8, "v.txt")
    assert order.symbols == ["<s>", "<pad>", "</s>", "<unk>", "[unused1]", "b", "##a", "<mask>"]
    assert order.rows == [4, 0, 5, 3, 1, 2, 7, 6]
    assert order.listed == ["[unused1]", "b", "##a"]


def test_rows_without_a_token_keep_their_place():
    """Blank lines, the first of two equal ones, and what an embedding has beyond."""
    text = "\n".join([*NAMES, "a", "", "b", "a", "madeupword0001", "", ""])
    files = parse_wordpiece(text.encode())
    assert files.rows == 10 and files.tokens["a"] == 8
    order = fairseq_order(files.tokens, NAMES, 12, "v.txt")
    made = [f"madeupword000{i}" for i in (0, 2, 3, 4)]
    assert order.listed == [made[0], made[1], "b", "a", "madeupword0001", made[2], made[3]]
    assert order.rows == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 4]
    assert files.order.listed == order.listed[:-2]


@pytest.mark.parametrize(
    "lines, message",
    [
        (["[PAD]", "[UNK]", "[CLS]", "a"], r"v\.txt has no \[SEP\], \[MASK\], which this"),
        ([], r"v\.txt has no \[CLS\], "),
        ([*NAMES, "<mask>"], r"v\.txt lists '<mask>', which fairseq has another use for"),
    ],
)
def test_what_has_no_order_in_fairseq(lines: list[str], message: str):
    with pytest.raises(UserError, match=message):
        parse_wordpiece("\n".join(lines).encode(), source="v.txt").order  # noqa: B018


def test_special_tokens_of_other_names():
    config = {"cls_token": "<s>", "unk_token": {"content": "<?>"}, "do_lower_case": False}
    lines = ["[PAD]", "<s>", "[SEP]", "<?>", "[MASK]", "a"]
    files = parse_wordpiece("\n".join(lines).encode(), json.dumps(config).encode())
    assert files.order.rows == [1, 0, 2, 3, 5, 4] and files.order.listed == ["a"]
    assert parse_wordpiece(files.vocab, files.settings.encode()) == files
    pytest.importorskip("tokenizers")
    assert encoded(WordPiece(files), ["a b a"]) == [[5, 3, 5]]


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
    settings = parse_wordpiece(cased, b'{"strip_accents": false}', normalizer=normalizer).settings
    assert settings == WordPieceSettings(True, False, False)


@pytest.mark.parametrize(
    "config, message",
    [
        ("[1", "c.json is damaged"),
        ("[]", "c.json is damaged"),
        ('{"do_lower_case": "yes"}', "c.json: do_lower_case is 'yes'; it must be true or false"),
        ('{"tokenize_chinese_chars": null}', "c.json: tokenize_chinese_chars is None"),
        ('{"cls_token": 7}', "c.json: a special token is no string"),
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
    with pytest.raises(UserError, match="tokenizer.json is no WordPiece tokenizer like BERT's"):
        find_tokenizer(tmp_path)


def test_a_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match="pip install tokenizers"):
        wordpiece(STORED, WordPieceSettings(True))


def test_a_folder_must_hold_one_tokenizer(tmp_path: Path):
    with pytest.raises(UserError, match="holds neither sentencepiece.bpe.model nor vocab.txt"):
        find_tokenizer(tmp_path)
    write_folder(tmp_path, STORED, WordPieceSettings(False))
    assert read_wordpiece(tmp_path / "vocab.txt").settings == WordPieceSettings(False)
    found = find_tokenizer(tmp_path)
    assert found == find_tokenizer(tmp_path / "vocab.txt") and found.dictionary is None
    (tmp_path / "dict.txt").write_text("a 1\n")
    assert find_tokenizer(tmp_path).dictionary == tmp_path / "dict.txt"
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"")
    with pytest.raises(UserError, match="holds both"):
        find_tokenizer(tmp_path)
    with pytest.raises(UserError, match="cannot read .*none.txt: No such file"):
        find_tokenizer(tmp_path / "none.txt")
