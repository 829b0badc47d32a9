"""Every file of a folder of binarised text is checked from its first byte to its last."""

import shutil

import numpy as np
import pytest

from fairseq_amber.doctor.corpus_folder import inspect_corpus
from toy_corpora import write_binarised

SIDE = "parallel/de-en/train.de-en.de"


def test_a_whole_folder(data_bin):
    found = inspect_corpus(data_bin)
    assert found.damages == []
    assert found.checked == {
        "manifests": 1,
        "dictionaries": 6,
        "tokenizers": 1,
        "texts (.bin and .idx)": 5,
        "sentences": 18,
        "files of words": 5,
        "pairs": 1,
        "files of prepare.json": 22,
    }


@pytest.mark.parametrize(
    "name, place, bits, message",
    [
        (f"{SIDE}.idx", 30, 1, "train.de-en.de.idx is damaged"),
        (f"{SIDE}.bin", 1, 16, "train.de-en.de.bin holds token"),
        (f"{SIDE}.words", 40, 128, "train.de-en.de.words is of another text"),
        (f"{SIDE}.words", 9, 1, "train.de-en.de.words is not a file of word boundaries"),
        ("parallel/de-en/dict.de.txt", 0, 1, "are different dictionaries"),
        ("dict.txt", 0, 128, "dict.txt:1: not UTF-8"),
        ("sentencepiece.bpe.model", 0, 255, "is not a SentencePiece model"),
        ("prepare.json", 0, 1, "prepare.json is damaged"),
    ],
)
def test_each_damage_is_named(data_bin, flip, name, place, bits, message):
    flip(data_bin / name, place, bits)
    damages = inspect_corpus(data_bin).damages
    assert any(message in damage for damage in damages), damages
    assert not any("\n" in damage for damage in damages)


def test_a_token_that_became_another_valid_one_is_found_by_its_digest(data_bin):
    content = np.memmap(data_bin / f"{SIDE}.bin", dtype=np.uint16, mode="r+")
    content[0] = content[1]
    content.flush()
    assert inspect_corpus(data_bin).damages == [
        f"{data_bin / SIDE}.bin is not what prepare.json records: remove it and run the same "
        "fairseq-amber prepare again"
    ]


@pytest.mark.parametrize("suffix", [".idx", ".bin"])
def test_a_text_that_lacks_a_file(data_bin, suffix):
    (data_bin / f"{SIDE}{suffix}").unlink()
    damages = inspect_corpus(data_bin).damages
    assert any(f"cannot read {data_bin / SIDE}{suffix}" in damage for damage in damages)
    assert any(f"{SIDE}{suffix} is not what prepare.json records" in one for one in damages)


def test_sides_of_different_lengths(data_bin):
    write_binarised(data_bin / SIDE, [[5]])
    (data_bin / f"{SIDE}.words").unlink()
    message = f"{SIDE} has 1 sentences but {data_bin / SIDE[:-2]}en has 4: prepare the pair again"
    assert any(message in damage for damage in inspect_corpus(data_bin).damages)


def test_sides_of_a_language_with_a_hyphen(data_bin):
    pair = data_bin / "parallel" / "pt-BR-en"
    pair.mkdir()
    write_binarised(pair / "train.pt-BR-en.pt-BR", [[5], [6]])
    write_binarised(pair / "train.pt-BR-en.en", [[5]])
    assert any("en has 1: prepare the pair" in one for one in inspect_corpus(data_bin).damages)


def test_a_folder_of_stock_fairseq(data_bin, tmp_path):
    stock = tmp_path / "stock"
    stock.mkdir()
    shutil.copy(data_bin / "dict.txt", stock)
    write_binarised(stock / "train", [[5, 6], [7]])
    found = inspect_corpus(stock)
    assert found.damages == [] and found.checked["sentences"] == 2
    (stock / "train.bin").unlink()
    (stock / "train.idx").unlink()
    assert "holds no binarised text" in inspect_corpus(stock).damages[0]
