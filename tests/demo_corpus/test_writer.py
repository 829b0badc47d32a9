"""The files of a corpus: their names, their content, and when they are not written."""

from __future__ import annotations

import hashlib
import os

import pytest

from fairseq_amber.demo_corpus import writer
from fairseq_amber.demo_corpus.concepts import HELD_OUT
from fairseq_amber.demo_corpus.corpus import GRAMMAR, Settings
from fairseq_amber.demo_corpus.languages import LANGUAGES
from fairseq_amber.errors import UserError


def test_counts_and_names(folder, lines, settings):
    counts = {"train": 600, "valid": 20, "test": 30}
    expected = {"README.md", "held-out.tsv", writer.MANIFEST}
    for split, count in counts.items():
        for pair in settings.pairs:
            for language in pair.split("-"):
                assert len(lines(folder / f"{split}.{pair}.{language}")) == count
                expected.add(f"{split}.{pair}.{language}")
            if split != "train":
                assert len(lines(folder / f"{split}.{pair}.gold")) == count
                expected.add(f"{split}.{pair}.gold")
    for language in LANGUAGES:
        assert len(lines(folder / f"train.{language}")) == 40
        assert len(lines(folder / f"valid.{language}")) == 20
        expected |= {f"train.{language}", f"valid.{language}"}
    assert set(os.listdir(folder)) == expected
    assert "synthetic" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_pairs_are_multi_parallel(folder, settings):
    for split in ("train", "valid", "test"):
        english = {(folder / f"{split}.{pair}.en").read_bytes() for pair in settings.pairs[:3]}
        german = {(folder / f"{split}.{pair}.de").read_bytes() for pair in ("de-en", "de-ru")}
        assert len(english) == len(german) == 1


def test_gold_links_point_at_words(folder, lines, settings):
    for split in ("valid", "test"):
        for pair in settings.pairs:
            source, target, gold = (
                lines(folder / f"{split}.{pair}.{ending}") for ending in (*pair.split("-"), "gold")
            )
            for first, second, links in zip(source, target, gold):
                sizes = len(first.split()), len(second.split())
                pairs = [
                    tuple(map(int, link.replace("p", "-").split("-"))) for link in links.split()
                ]
                assert len(set(pairs)) == len(pairs)
                assert all(i < sizes[0] and j < sizes[1] for i, j in pairs)
                assert f"{sizes[0] - 1}-{sizes[1] - 1}" in links.split()  # the full stops


def test_a_held_out_combination_in_words(folder, lines):
    """A combination of the list, in words, is in no sentence but those of the test split."""
    known = {tuple(line.split("\t")) for line in lines(folder / "held-out.tsv")}
    assert known == set(HELD_OUT)
    assert ("expensive", "apple") in known
    for path in (*folder.glob("train*.en"), *folder.glob("valid*.en")):
        assert "expensive apple" not in path.read_text(encoding="utf-8")


def test_same_seed_same_bytes(folder, tmp_path, settings):
    writer.write(tmp_path / "again", settings)
    for name_ in os.listdir(folder):
        assert (folder / name_).read_bytes() == (tmp_path / "again" / name_).read_bytes()


def test_the_bytes_of_a_grammar_version(folder):
    """Where this digest changes, so does the text of every user: ``GRAMMAR`` must increase."""
    digest = hashlib.sha256((folder / writer.MANIFEST).read_bytes()).hexdigest()
    assert (
        GRAMMAR == 1
        and digest == "fac0ef8e5e3b12ad4853b12adcedb140b6a25ab3a89647c54d83a12feb2c06fc"
    )


def test_another_seed_is_another_corpus(folder, tmp_path, lines):
    other = Settings(("de-en",), 600, 20, 30, 40, seed=2)
    writer.write(tmp_path / "other", other)
    assert lines(tmp_path / "other" / "train.de-en.en") != lines(folder / "train.de-en.en")


def test_pairs_change_no_sentence(folder, tmp_path, lines):
    writer.write(tmp_path / "one", Settings(("de-ru",), 600, 20, 30, 40))
    assert lines(tmp_path / "one" / "test.de-ru.ru") == lines(folder / "test.ru-en.ru")
    assert not (tmp_path / "one" / "train.en").exists()


def test_refuses_other_folders_and_changed_corpora(tmp_path):
    settings = Settings(("de-en",), 400, 3, 2, 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="is not empty .it holds thesis.tex"):
        writer.write(tmp_path / "mine", settings)
    with pytest.raises(UserError, match="cannot write"):
        writer.write(tmp_path / "mine" / "thesis.tex", settings)
    (tmp_path / "empty").mkdir()
    writer.write(tmp_path / "empty", settings)
    (tmp_path / "empty" / "train.de-en.de").write_text("x\n")
    with pytest.raises(UserError, match=r"train\.de-en\.de is missing or was changed"):
        writer.write(tmp_path / "empty", settings)
    (tmp_path / "empty" / writer.MANIFEST).write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        writer.write(tmp_path / "empty", settings)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, failure):
    def fail(*_):
        raise failure

    monkeypatch.setattr(writer, "_readme", fail)
    with pytest.raises((KeyboardInterrupt, UserError)):
        writer.write(tmp_path / "raw", Settings(("de-en",), 400, 3, 2, 0))
    assert list(tmp_path.iterdir()) == []
