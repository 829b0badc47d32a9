"""Preparing a folder: what is kept, made again, refused and overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpus_preparation import contents, run_small
from fairseq_amber.data.kept_words import KeptWordFile
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import KeptWords, TokenWords
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings
from fairseq_amber.tokenizers.dictionary import load_dictionary
from fairseq_amber.tokenizers.word_boundaries import word_boundaries


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
        ({"word_boundaries": "spaces"}, "no --word-boundaries, not --word-boundaries spaces"),
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


def test_words_are_kept_beside_every_file_whatever_the_workers(raw: Path, tmp_path, monkeypatch):
    run_small(raw, tmp_path / "none")
    run_small(raw, tmp_path / "one", workers=1, word_boundaries="spaces")
    monkeypatch.setattr("fairseq_amber.files.text.LINES_PER_BLOCK", 7)
    run_small(raw, tmp_path / "three", workers=3, word_boundaries="spaces")
    none, one, three = (contents(tmp_path / name) for name in ("none", "one", "three"))
    assert one == three
    kept = {name[: -len(".words")] for name in one if name.endswith(".words")}
    assert kept == {name[: -len(".bin")] for name in none if name.endswith(".bin")}
    del none["prepare.json"]
    assert {name: one[name] for name in none} == none
    settings = json.loads(one["prepare.json"])
    assert settings["word_boundaries"] == "spaces"
    assert "mono/zh/train.words" in settings["corpora"]["mono/zh/train"]["outputs"]
    for prefix in kept:  # as the pieces of SentencePiece show them
        file = TokenFile(tmp_path / "one" / prefix)
        symbols = load_dictionary(tmp_path / "one").symbols
        boundaries = word_boundaries(symbols, (0, 1, 2), "spaces", split_unspaced=False)
        shown = TokenWords(file, boundaries)
        assert KeptWords(file, KeptWordFile(file.prefix), None).counts().tolist() == (
            shown.counts().tolist()
        )


def test_a_lost_file_of_words_is_made_again(raw: Path, tmp_path: Path):
    run_small(raw, tmp_path / "out", word_boundaries="spaces")
    before = contents(tmp_path / "out")
    (tmp_path / "out/mono/zh/train.words").unlink()
    assert run_small(raw, tmp_path / "out", word_boundaries="spaces").sentences == 120
    assert contents(tmp_path / "out") == before
    with pytest.raises(UserError, match="prepared with --word-boundaries spaces, not no --word-bo"):
        run_small(raw, tmp_path / "out")
    run_small(raw, tmp_path / "out", overwrite=True)
    assert not list((tmp_path / "out").rglob("*.words"))
