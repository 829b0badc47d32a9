"""The command: the files that it writes, equal to those of fairseq-preprocess, and what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sentencepiece

from corpus_preparation import contents, run_small
from fairseq_amber.cli import main
from fairseq_programs import run_fairseq


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
    preprocess = ["--workers", "1", "--srcdict", out / "dict.txt"]
    stock = tmp_path / "stock"
    mono = ["--only-source", "--trainpref", f"{text}/train.zh", "--validpref", f"{text}/valid.zh"]
    pair = ["--source-lang", "de", "--target-lang", "en", "--tgtdict", str(out / "dict.txt")]
    for split in ("train", "valid", "test"):
        pair += [f"--{split}pref", f"{text}/{split}.de-en"]
    for flags, name in ((mono, "mono/zh"), (pair, "parallel/de-en")):
        done = run_fairseq("preprocess", *preprocess, *flags, "--destdir", stock / name)
        assert done.returncode == 0, done.stderr
        expected = contents(stock / name)
        del expected["preprocess.log"]
        assert contents(out / name) == expected


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


def test_nothing_is_written_when_the_input_is_bad(raw: Path, tmp_path: Path, capsys):
    (raw / "train.zh").write_bytes(b"\xe7\x8b\x97\n\xe7\n")
    out = tmp_path / "deep" / "out"
    assert main(["prepare", str(raw), str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fairseq-amber: error: ") and error.count("\n") == 1
    assert f"{raw}/train.zh:2: not UTF-8" in error
    assert not out.parent.exists()


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
