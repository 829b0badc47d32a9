"""Corpora that are prepared with a WordPiece vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpus_preparation import contents, run_small
from fairseq_amber.cli import main
from fairseq_amber.errors import UserError


def wordpiece_folder(folder: Path) -> Path:
    """An uncased vocabulary of characters, in BERT's order."""
    pytest.importorskip("tokenizers")
    letters = "abcdefghijklmnopqrstuvwxyzабвгдежзийклмнопрстуфхцчшщъыьэюя."
    pieces = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "der", "##en", "the"]
    pieces += [*letters, *(f"##{letter}" for letter in letters), *"狗在花园里睡觉因为今天下雨我们"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
    return folder


def test_wordpiece_vocabulary(raw: Path, tmp_path: Path):
    from fairseq.data import Dictionary
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    folder = wordpiece_folder(tmp_path / "bert")
    out = tmp_path / "out"
    result = run_small(raw, out, tokenizer=folder / "vocab.txt")
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert (out / "vocab.txt").read_bytes() == (folder / "vocab.txt").read_bytes()
    config = json.loads((out / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "BertTokenizer" and config["do_lower_case"] is True
    assert not (out / "sentencepiece.bpe.model").exists()
    dictionary = Dictionary.load(str(out / "dict.txt"))
    assert dictionary.symbols[4:] == ["[unused1]", *pieces[6:]]
    assert result.vocabulary.size == len(dictionary) == len(pieces) - 1  # without <mask>
    stored = MMapIndexedDataset(str(out / "parallel/de-en/test.de-en.de"))
    lines = (raw / "test.de-en.de").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(stored) == len(lines)
    for line, ids in zip(lines, stored):
        joined = dictionary.string(ids).replace(" ##", "").replace(" .", ".")
        assert joined == line.strip().lower().replace("ä", "a").replace("ü", "u")
    assert dictionary.unk() in {
        int(i) for ids in MMapIndexedDataset(str(out / "mono/zh/train")) for i in ids
    }


def test_a_wordpiece_folder_goes_on_with_its_own_files(raw: Path, tmp_path: Path, capsys):
    folder = wordpiece_folder(tmp_path / "bert")
    out = tmp_path / "out"
    run_small(raw, out, tokenizer=folder, languages=["de", "en"], workers=1)
    before = contents(out)
    assert run_small(raw, out, tokenizer=folder, languages=["de", "en"]).sentences == 0
    assert run_small(raw, out, tokenizer=out, languages=["de", "en", "zh"]).sentences == 120 + 15
    for name, data in before.items():
        assert name == "prepare.json" or (out / name).read_bytes() == data
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    with pytest.raises(UserError, match="prepared with another vocabulary than the one given"):
        run_small(raw, out, tokenizer=folder)
    with pytest.raises(UserError, match="go on with it: --tokenizer DATA_BIN"):
        run_small(raw, out)
    (out / "vocab.txt").write_bytes(b"[UNK]")
    with pytest.raises(UserError, match=r"vocab.txt has no \[CLS\]"):
        run_small(raw, out, tokenizer=out)
    flags = ["--tokenizer", str(folder), "--vocab-size", "9"]
    with pytest.raises(SystemExit):
        main(["prepare", str(raw), str(out), *flags])
    assert "not allowed with" in capsys.readouterr().err
    run_small(raw, out, overwrite=True)
    run_small(raw, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_dictionary_of_another_order_decides_the_ids_of_wordpieces(raw: Path, tmp_path: Path):
    folder = wordpiece_folder(tmp_path / "bert")
    first = run_small(raw, tmp_path / "first", tokenizer=folder)
    lines = (tmp_path / "first/dict.txt").read_text(encoding="utf-8").split("\n")[:-1]
    (folder / "dict.txt").write_text("\n".join(reversed(lines)), encoding="utf-8")
    other = run_small(raw, tmp_path / "other", tokenizer=folder)
    ids, turned = first.vocabulary.ids, other.vocabulary.ids
    listed = ids >= 4
    assert (ids[listed] + turned[listed] == 4 + 3 + len(lines)).all() and listed.sum() == len(lines)
    assert (ids[~listed] == 3).all() and (turned[~listed] == 3).all()
