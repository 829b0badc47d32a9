"""The command as a whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from fairseq_amber.cli import main
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.pipeline import prepare
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings

SMALL = VocabularySettings(vocab_size=200)
FILTERS = FilterSettings(max_length=60, deduplicate=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_small(raw: Path, data_bin: Path, **arguments):
    arguments = {"vocabulary": SMALL, "filters": FILTERS, "workers": 2, **arguments}
    return prepare(raw, data_bin, **arguments)


def test_command_writes_the_promised_layout_and_says_what_it_dropped(
    raw: Path, tmp_path: Path, capsys
):
    out = tmp_path / "data-bin" / "toy"
    command = ["prepare", str(raw), str(out), "--vocab-size", "200", "--max-length", "60"]
    assert main([*command, "--deduplicate"]) == 0
    expected = {"dict.txt", "sentencepiece.bpe.model", "prepare.json", "mono/dict.txt"}
    for language in ("de", "en", "ru", "zh"):
        expected.add(f"mono/{language}/dict.txt")
        expected |= {f"mono/{language}/{s}.{x}" for s in ("train", "valid") for x in ("bin", "idx")}
    for pair in ("de-en", "ru-en"):
        for language in pair.split("-"):
            expected.add(f"parallel/{pair}/dict.{language}.txt")
            for split in ("train", "valid", "test"):
                name = f"parallel/{pair}/{split}.{pair}.{language}"
                expected |= {f"{name}.bin", f"{name}.idx"}
    assert set(contents(out)) == expected
    printed = capsys.readouterr().out
    row = next(line.split() for line in printed.splitlines() if "parallel/de-en/train" in line)
    assert row[:7] == ["parallel/de-en/train", "150", "146", "1", "1", "1", "1"]
    row = next(line.split() for line in printed.splitlines() if "parallel/de-en/test" in line)
    assert row[:7] == ["parallel/de-en/test", "10", "10", "0", "0", "0", "0"]
    assert "sentences/s" in printed


@pytest.fixture
def encoded(raw: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A prepared folder, and what a person would give fairseq-preprocess: the kept lines, encoded
    by SentencePiece."""
    out = tmp_path / "out"
    run_small(raw, out)
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(out / "sentencepiece.bpe.model")
    )
    text = tmp_path / "encoded"
    text.mkdir()

    def write(name: str, lines: list[str]) -> None:
        pieces = [" ".join(processor.EncodeAsPieces(line)) for line in lines]
        (text / name).write_text("".join(f"{line}\n" for line in pieces), encoding="utf-8")

    for split, name in {"train": "train", "dev": "valid", "test": "test"}.items():
        sides = [
            (raw / f"{split}.de-en.{language}").read_text(encoding="utf-8").split("\n")[:-1]
            for language in ("de", "en")
        ]
        pairs = list(zip(*sides))
        if split == "train":
            pairs = [pair for i, pair in enumerate(pairs) if i not in (3, 4, 5, 6)]
        for side, language in enumerate(("de", "en")):
            write(f"{name}.de-en.{language}", [pair[side] for pair in pairs])
    mono = dict.fromkeys((raw / "train.zh").read_text(encoding="utf-8").split("\n")[:-1])
    write("train.zh", list(mono))
    write("valid.zh", (raw / "valid.zh").read_text(encoding="utf-8").split("\n")[:-1])
    return out, text


@pytest.mark.slow
def test_files_equal_those_of_fairseq_preprocess_byte_for_byte(encoded, tmp_path: Path):
    out, text = encoded
    preprocess = [sys.executable, "-m", "fairseq_cli.preprocess", "--workers", "1"]
    preprocess += ["--srcdict", str(out / "dict.txt")]
    stock = tmp_path / "stock"
    mono = ["--only-source", "--trainpref", f"{text}/train.zh", "--validpref", f"{text}/valid.zh"]
    pair = ["--source-lang", "de", "--target-lang", "en", "--tgtdict", str(out / "dict.txt")]
    for split in ("train", "valid", "test"):
        pair += [f"--{split}pref", f"{text}/{split}.de-en"]
    for flags, name in ((mono, "mono/zh"), (pair, "parallel/de-en")):
        command = [*preprocess, *flags, "--destdir", str(stock / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expected = contents(stock / name)
        del expected["preprocess.log"]
        assert contents(out / name) == expected


def test_stock_reader_gives_back_what_was_written_in_32_bits(tmp_path: Path):
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    from fairseq_amber.data.token_file import DatasetWriter, token_dtype

    assert token_dtype(65499) is np.uint16 and token_dtype(65500) is np.uint32
    writer = DatasetWriter(tmp_path / "train", np.uint32)
    writer.add(np.array([70000, 2, 5, 2]), np.array([2, 2]))
    writer.add(np.array([2], dtype=np.uint32), np.array([1]))
    writer.finish()
    writer.close()
    dataset = MMapIndexedDataset(str(tmp_path / "train"))
    assert [line.tolist() for line in dataset] == [[70000, 2], [5, 2], [2]]


def test_workers_and_line_blocks_change_nothing(raw: Path, tmp_path: Path, monkeypatch):
    run_small(raw, tmp_path / "one", workers=1)
    monkeypatch.setattr("fairseq_amber.files.text.LINES_PER_BLOCK", 7)
    run_small(raw, tmp_path / "three", workers=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_a_given_model_with_its_dictionary(raw: Path, tmp_path: Path):
    run_small(raw, tmp_path / "first")
    model = tmp_path / "first" / "sentencepiece.bpe.model"
    dictionary = tmp_path / "dict.txt"
    lines = (tmp_path / "first" / "dict.txt").read_text(encoding="utf-8").splitlines()
    dictionary.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    run_small(raw, tmp_path / "same", tokenizer=model)
    run_small(raw, tmp_path / "other", tokenizer=model, dictionary=dictionary)
    first, same, other = (contents(tmp_path / name) for name in ("first", "same", "other"))
    del first["prepare.json"], same["prepare.json"]
    assert first == same
    assert other["dict.txt"] == dictionary.read_bytes()
    assert other["mono/zh/train.idx"] == first["mono/zh/train.idx"]
    assert other["mono/zh/train.bin"] != first["mono/zh/train.bin"]


def test_it_says_how_far_it_is(raw: Path, tmp_path: Path, capsys, progress_of):
    assert main(["prepare", str(raw), str(tmp_path / "out"), "--vocab-size", "200"]) == 0
    out, err = capsys.readouterr()
    found = progress_of(err)
    counts = {name: int(n) for name, n in re.findall(r"^(\w+/\S+) +(\d+)", out, re.MULTILINE)}
    assert found.pop("checking") == "15 of 15 files"
    assert found.keys() == counts.keys()
    lines = sum(counts.values())
    assert list(found.values())[-1] == f"{lines:,} of {lines:,} lines"
    assert "fairseq-amber:" not in out


def test_repeating_the_command_does_nothing(raw: Path, tmp_path: Path, capsys):
    first = run_small(raw, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = run_small(raw, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert first.sentences > 0 and again.sentences == 0 and again.corpora == first.corpora


def test_a_lost_file_is_made_again(raw: Path, tmp_path: Path):
    run_small(raw, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out/mono/zh/train.idx").unlink()
    assert run_small(raw, tmp_path / "out").sentences == 120
    after = contents(tmp_path / "out")
    assert json.loads(after.pop("prepare.json")) == json.loads(before.pop("prepare.json"))
    assert after == before


@pytest.mark.parametrize(
    "change, message",
    [
        ({"filters": FilterSettings()}, "--deduplicate True, not False, --max-length 60, not 254"),
        ({"vocabulary": VocabularySettings(vocab_size=150)}, "--vocab-size 200, not 150"),
        ({"languages": ["de", "en"]}, "learnt from other text .differs: train.ru-en.en"),
    ],
)
def test_other_settings_need_another_folder_or_overwrite(
    raw: Path, tmp_path: Path, change, message: str
):
    out = tmp_path / "out"
    run_small(raw, out)
    (out / "mono" / "fr").mkdir()
    (out / "mono" / "fr" / "mine").write_text("not made by prepare")
    before = contents(out)
    with pytest.raises(UserError, match=f"was prepared with .*{message}.*--overwrite"):
        run_small(raw, out, **change)
    assert contents(out) == before
    run_small(raw, out, overwrite=True, **change)
    run_small(raw, tmp_path / "fresh", **change)
    after = contents(out)
    assert after.pop("mono/fr/mine")
    assert after == contents(tmp_path / "fresh")
    assert run_small(raw, out, overwrite=True, **change).sentences == 0


def test_changed_text_under_a_kept_vocabulary(raw: Path, tmp_path: Path):
    out = tmp_path / "out"
    run_small(raw, out, languages=["de", "en"])
    kept = {"tokenizer": out}
    # a further language joins the folder, the rest is left as it is
    added = run_small(raw, out, languages=["de", "en", "zh"], **kept)
    assert added.sentences == 120 + 15
    with open(raw / "train.zh", "a", encoding="utf-8") as stream:
        stream.write("狗睡觉\n")
    with pytest.raises(UserError, match=r"other text \(mono/zh/train changed\)"):
        run_small(raw, out, languages=["de", "en", "zh"], **kept)
    again = run_small(raw, out, languages=["de", "en", "zh"], overwrite=True, **kept)
    assert again.sentences == 121 and again.corpora["mono/zh/train"].lines == 121


def test_a_folder_whose_dictionary_was_replaced(raw: Path, tmp_path: Path):
    run_small(raw, tmp_path / "out")
    (tmp_path / "out/dict.txt").write_text("foo 1\n")
    with pytest.raises(UserError, match="another sentencepiece.bpe.model or dict.txt than is the"):
        run_small(raw, tmp_path / "out")
    run_small(raw, tmp_path / "out", overwrite=True)
    run_small(raw, tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_folders_of_other_programs_are_left_alone(raw: Path, tmp_path: Path):
    (tmp_path / "dict.txt").write_text("foo 1\n")
    with pytest.raises(UserError, match="holds files that fairseq-amber prepare did not make"):
        run_small(raw, tmp_path, overwrite=True)
    with pytest.raises(UserError, match="is a file"):
        run_small(raw, tmp_path / "dict.txt")


def test_nothing_is_written_when_the_input_is_bad(raw: Path, tmp_path: Path, capsys):
    (raw / "train.zh").write_bytes(b"\xe7\x8b\x97\n\xe7\n")
    out = tmp_path / "deep" / "out"
    assert main(["prepare", str(raw), str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fairseq-amber: error: ") and error.count("\n") == 1
    assert f"{raw}/train.zh:2: not UTF-8" in error
    assert not out.parent.exists()


def test_learning_that_fails_leaves_no_folder(raw: Path, tmp_path: Path):
    with pytest.raises(UserError, match="--vocab-size 5 is too small"):
        run_small(raw, tmp_path / "out", vocabulary=VocabularySettings(vocab_size=5))
    assert not (tmp_path / "out").exists()


def test_filters_that_leave_nothing(raw: Path, tmp_path: Path):
    filters = FilterSettings(max_length=1)
    with pytest.raises(UserError, match=r"every line of .*was dropped \(.*too long.*relax"):
        run_small(raw, tmp_path / "out", filters=filters)


def test_missing_model_and_dictionary_without_model(raw: Path, tmp_path: Path):
    with pytest.raises(UserError, match="cannot read .*none.model: No such file"):
        run_small(raw, tmp_path / "out", tokenizer=tmp_path / "none.model")
    with pytest.raises(UserError, match="--dict needs the tokenizer"):
        run_small(raw, tmp_path / "out", dictionary=tmp_path / "dict.txt")


def test_evaluation_text_alone_needs_a_model(raw: Path, tmp_path: Path):
    for path in raw.glob("train.*"):
        path.unlink()
    with pytest.raises(UserError, match="no training text to learn from; give --tokenizer"):
        run_small(raw, tmp_path / "out")


def test_uncovered_script_and_missing_validation_are_warned_of(raw: Path, tmp_path: Path, capsys):
    run_small(raw, tmp_path / "de", languages=["de", "en"])
    (raw / "valid.zh").unlink()
    model = str(tmp_path / "de" / "sentencepiece.bpe.model")
    out = str(tmp_path / "zh")
    assert main(["prepare", str(raw), out, "--languages", "zh", "--sentencepiece", model]) == 0
    out, err = capsys.readouterr()
    start = "fairseq-amber: warning: "
    first, second = (line for line in err.splitlines() if line.startswith(start))
    assert first.startswith(f"{start}mono/zh/train: ") and "of the subwords are <unk>" in first
    assert second.startswith(f"{start}no validation text for mono/zh")
    assert "warning" not in out


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
