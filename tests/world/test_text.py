"""Text as the world has it: compressed, in other spellings, in long lines, and not quite text."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from corpus_preparation import contents, run_small
from fairseq_amber.errors import UserError
from fairseq_amber.files.digest import file_digest
from fairseq_amber.preparation.corpus.settings import FilterSettings

WORDS = "der hund sieht die katze und rennt im garten heim wo sie schläft".split()


def text(first: str, lines: int = 30) -> str:
    return "".join(f"{first} {WORDS[i % 7]} {WORDS[i % 11]}\n" for i in range(lines))


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in texts.items():
        (folder / name.replace("__", "-").replace("_", ".")).write_text(content, encoding="utf-8")
    return folder


def test_compressed_corpora_are_prepared_as_their_text(tmp_path: Path, monkeypatch):
    """Corpora come as .gz and .xz, which were refused or passed over; the output is the same."""
    monkeypatch.setattr("fairseq_amber.files.text.LINES_PER_BLOCK", 7)
    raw = write(tmp_path / "raw", train_de=text("ja"), train_de__en_de=text("ja"))
    write(
        raw,
        train_de__en_en=text("yes"),
        valid_de__en_de=text("ja", 5),
        valid_de__en_en=text("y", 5),
    )
    packed = tmp_path / "packed"
    packed.mkdir()
    ways = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    for path, (suffix, pack) in zip(sorted(raw.iterdir()), [*ways.items()] * 2):
        (packed / f"{path.name}{suffix}").write_bytes(pack(path.read_bytes()))
    run_small(raw, tmp_path / "a")
    run_small(packed, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    cut = packed / "train.de.gz"
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(UserError, match="train.de.gz is damaged or cut short"):
        run_small(packed, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_languages_with_hyphens_are_prepared(tmp_path: Path, caplog):
    """NTREX names its languages por-BR and srp-Latn: such files were left out without a word."""
    raw = write(
        tmp_path / "raw", train_por__BR__eng_por__BR=text("sim"), train_srp__Latn=text("da")
    )
    write(raw, train_por__BR__eng_eng=text("yes"), train_bak=text("x"), Train_de=text("ja"))
    done = run_small(raw, tmp_path / "out", filters=FilterSettings())
    assert {name: counts.lines for name, counts in done.corpora.items()} == {
        "mono/eng/train": 30,
        "mono/por-BR/train": 30,
        "mono/srp-Latn/train": 30,
        "parallel/por-BR-eng/train": 30,
    }
    place = "parallel/por-BR-eng/train.por-BR-eng"
    assert {f"{place}.por-BR.bin", f"{place}.eng.bin"} <= contents(tmp_path / "out").keys()
    assert "not taken: Train.de (no name" in caplog.text and "train.bak" in caplog.text


def test_paragraphs_are_learnt_from(tmp_path: Path):
    """SentencePiece skips lines of more than 4192 bytes: no piece of a script was learnt."""
    paragraph = " ".join(["करना"] * 400)
    raw = write(tmp_path / "raw", train_de=text("ja"), train_hi=f"{paragraph}\n" * 20)
    # In a process of its own, as users call it: SentencePiece has been seen to crash in one that
    # was forked from a test process, in which hundreds of other modules were loaded.
    command = ["prepare", str(raw), str(tmp_path / "out"), "--vocab-size", "80"]
    command += ["--max-mono-length", "5000", "--workers", "1"]
    subprocess.run([sys.executable, "-m", "fairseq_amber.cli", *command], check=True)
    found = json.loads((tmp_path / "out" / "prepare.json").read_bytes())
    assert len(paragraph.encode()) > 4192
    assert found["corpora"]["mono/hi/train"]["counts"]["unknown"] == [0]


def test_prepare_json_cannot_have_other_files_removed(tmp_path: Path):
    """A prepare.json that names ../victim or an absolute path had it removed by --overwrite."""
    raw = write(tmp_path / "raw", train_de=text("ja"))
    run_small(raw, tmp_path / "out")
    path = tmp_path / "out/prepare.json"
    whole = json.loads(path.read_bytes())
    (corpus,) = whole["corpora"].values()
    assert corpus["output_digests"] == {
        name: file_digest(tmp_path / "out" / name) for name in corpus["outputs"]
    }
    (tmp_path / "victim").write_text("precious")
    for name in ("../victim", str(tmp_path / "victim")):
        outputs = {**corpus["outputs"], name: 8}
        digests = {**corpus["output_digests"], name: "x"}
        changed = {**corpus, "outputs": outputs, "output_digests": digests}
        for damaged in (
            {**whole, "corpora": {"mono/de/train": changed}},
            {**whole, "digests": {**whole["digests"], name: "x"}},
        ):
            path.write_text(json.dumps(damaged))
            with pytest.raises(UserError, match="prepare.json: the file .*(inside|part of)"):
                run_small(raw, tmp_path / "out", overwrite=True)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_damaged_prepare_json_is_one_line(tmp_path: Path):
    """One flipped bit in a key of prepare.json ended in a traceback."""
    raw = write(tmp_path / "raw", train_de=text("ja"))
    run_small(raw, tmp_path / "out")
    path = tmp_path / "out/prepare.json"
    path.write_text(path.read_text().replace('"unknown"', '"unkfown"'))
    with pytest.raises(UserError, match="prepare.json is damaged or of another version; remove"):
        run_small(raw, tmp_path / "out")
