from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.text import check_file
from fairseq_amber.preparation.corpus.raw_files import check_alignment, find_corpora


def named(corpora):
    return {
        corpus.name: [tuple(path.name for path in files) for files in corpus.sources]
        for corpus in corpora
    }


def test_corpora_are_found_by_name_and_other_text_is_named(raw: Path, caplog):
    for name in ("train.txt", "train.de-en.gold", "held-out.de", "valid.de-en.fr.bak"):
        (raw / name).write_bytes(b"\xff")
    assert named(find_corpora(raw)) == {
        "mono/de/train": [("train.de-en.de",)],
        "mono/de/valid": [("dev.de-en.de",)],
        "mono/en/train": [("train.en",)],
        "mono/en/valid": [("dev.de-en.en",), ("dev.ru-en.en",)],
        "mono/ru/train": [("train.ru-en.ru",)],
        "mono/ru/valid": [("dev.ru-en.ru",)],
        "mono/zh/train": [("train.zh",)],
        "mono/zh/valid": [("valid.zh",)],
        "parallel/de-en/test": [("test.de-en.de", "test.de-en.en")],
        "parallel/de-en/train": [("train.de-en.de", "train.de-en.en")],
        "parallel/de-en/valid": [("dev.de-en.de", "dev.de-en.en")],
        "parallel/ru-en/test": [("test.ru-en.ru", "test.ru-en.en")],
        "parallel/ru-en/train": [("train.ru-en.ru", "train.ru-en.en")],
        "parallel/ru-en/valid": [("dev.ru-en.ru", "dev.ru-en.en")],
    }
    (message,) = caplog.messages
    assert ": not taken: valid.de-en.fr.bak (no name such as train.de or" in message
    assert "train.txt (a language, a pair or another ending? --languages LANG takes" in message
    assert "gold" not in message and "held-out" not in message


def test_monolingual_text_from_parallel_text(raw: Path):
    never = named(find_corpora(raw, mono_from_parallel="never"))
    assert [name for name in never if name.startswith("mono")] == [
        "mono/en/train",
        "mono/zh/train",
        "mono/zh/valid",
    ]
    always = named(find_corpora(raw, mono_from_parallel="always"))
    assert always["mono/en/train"] == [("train.en",), ("train.de-en.en",), ("train.ru-en.en",)]


def test_restricting_languages_and_pairs(raw: Path):
    names = set(named(find_corpora(raw, languages=["de", "en"])))
    assert {name.split("/")[1] for name in names} == {"de", "en", "de-en"}
    names = set(named(find_corpora(raw, pairs=["en-ru"])))
    assert {name.split("/")[1] for name in names} == {"en", "ru", "zh", "ru-en"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"languages": ["fr"]}, "holds no text for fr; it holds de, en, ru, zh"),
        ({"pairs": ["de-ru"]}, "holds no text for de-ru; it holds de-en, ru-en"),
        ({"languages": ["de"], "mono_from_parallel": "never"}, "leave no corpus"),
    ],
)
def test_unknown_languages_and_pairs(raw: Path, arguments, message: str):
    with pytest.raises(UserError, match=message):
        find_corpora(raw, **arguments)


def test_folders_that_hold_no_corpora(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere is not a folder"):
        find_corpora(tmp_path / "nowhere")
    (tmp_path / "corpus.de").write_text("x\n")
    with pytest.raises(UserError, match="holds no corpora; files must be named like train.de"):
        find_corpora(tmp_path)


def test_one_side_missing(raw: Path):
    (raw / "train.de-en.en").unlink()
    with pytest.raises(UserError, match=r"train\.de-en\.de has no partner train\.de-en\.en"):
        find_corpora(raw)


def test_dev_beside_valid(raw: Path):
    (raw / "dev.zh").write_text("狗\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds both dev.zh and valid.zh"):
        find_corpora(raw)


def test_unequal_line_counts(raw: Path):
    with open(raw / "train.de-en.en", "a") as stream:
        stream.write("one more\n")
    corpora = find_corpora(raw, pairs=["de-en"], languages=["de", "en"])
    texts = {path: check_file(path) for c in corpora for files in c.sources for path in files}
    message = r"de-en\.de has 150 lines but .*de-en\.en has 151: line 151 of the longer"
    with pytest.raises(UserError, match=message):
        check_alignment(corpora, texts)


def test_more_files_of_training_text_and_pairs_in_either_order(raw: Path, caplog):
    for name in ("train1.zh", "train10.zh", "train2.zh.xz", "train1.de-en.de", "train1.de-en.en"):
        (raw / name).write_text("x\n")
    for name in ("train.pt-BR-en.pt-BR", "train.pt-BR-en.en", "train.RU"):
        (raw / name).write_text("x\n")
    found = named(find_corpora(raw))
    assert found["mono/zh/train"] == [
        ("train.zh",),
        ("train1.zh",),
        ("train2.zh.xz",),
        ("train10.zh",),
    ]
    assert found["parallel/de-en/train"][1] == ("train1.de-en.de", "train1.de-en.en")
    assert found["mono/de/train"] == [("train.de-en.de",), ("train1.de-en.de",)]
    chosen = named(find_corpora(raw, pairs=["en-pt-BR"], languages=["pt-BR", "en"]))
    assert chosen["parallel/pt-BR-en/train"] == [("train.pt-BR-en.pt-BR", "train.pt-BR-en.en")]
    assert "RU, ru are different languages here; if they are one" in caplog.text
