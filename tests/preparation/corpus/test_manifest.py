"""prepare.json: what two runs must agree on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.manifest import MANIFEST_NAME, Manifest, read_manifest

LEARNT = {"settings": {"vocab_size": 9}, "text": {"train.de": "1"}}
COUNTS = {"lines": 2, "kept": 1, "dropped": {"empty": 1}, "tokens": [5], "unknown": [0]}
DE = {
    "sources": {"train.de": "1"},
    "outputs": {"a": 2},
    "output_digests": {"a": "d"},
    "counts": COUNTS,
}
CORPORA = {"mono/de/train": DE}
MANIFEST = Manifest(LEARNT, {"dict.txt": "d"}, {"max_length": 7}, CORPORA)
WANTED = replace(MANIFEST, digests={})  # a run that learns the same vocabulary


def test_it_comes_back(tmp_path: Path):
    (tmp_path / MANIFEST_NAME).write_bytes(MANIFEST.encode())
    assert read_manifest(tmp_path) == MANIFEST


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"what": 1}', "\xff"])
def test_damage_is_named(tmp_path: Path, text: str):
    (tmp_path / MANIFEST_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="prepare.json is damaged or of another version; remove"):
        read_manifest(tmp_path)


def test_a_manifest_of_an_earlier_version_lacks_the_digests_of_its_files(tmp_path: Path):
    earlier = {key: value for key, value in DE.items() if key != "output_digests"}
    manifest = replace(MANIFEST, corpora={"mono/de/train": earlier})
    (tmp_path / MANIFEST_NAME).write_bytes(manifest.encode())
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize("name", ["../victim", "/etc/victim", "a/../../victim", "", "a\\b"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str):
    outputs = {"outputs": {name: 1}, "output_digests": {name: "d"}}
    for manifest in (
        replace(MANIFEST, digests={name: "x"}),
        replace(MANIFEST, corpora={"mono/de/train": {**DE, **outputs}}),
    ):
        (tmp_path / MANIFEST_NAME).write_bytes(manifest.encode())
        with pytest.raises(UserError, match="prepare.json: the file .* (cannot|is not)"):
            read_manifest(tmp_path)


def test_a_manifest_that_is_no_regular_file(tmp_path: Path):
    os.mkfifo(tmp_path / MANIFEST_NAME)
    with pytest.raises(UserError, match="prepare.json is damaged"):
        read_manifest(tmp_path)


def test_another_version_is_refused(tmp_path: Path):
    (tmp_path / MANIFEST_NAME).write_bytes(replace(MANIFEST, format=2).encode())
    with pytest.raises(UserError, match="of another version"):
        read_manifest(tmp_path)


def test_a_folder_without_one(tmp_path: Path):
    assert read_manifest(tmp_path / "new") is None
    (tmp_path / ".partial").mkdir()
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize(
    "wanted, reason",
    [
        (WANTED, None),
        (replace(WANTED, filters={"max_length": 8}), "--max-length 7, not 8"),
        (
            replace(WANTED, vocabulary={**LEARNT, "settings": {"vocab_size": 8}}),
            "--vocab-size 9, not 8",
        ),
        (
            replace(WANTED, vocabulary={**LEARNT, "text": {"train.de": "2"}}),
            "a vocabulary learnt from other text (differs: train.de; to keep that vocabulary: "
            "--tokenizer DATA_BIN)",
        ),
        (replace(WANTED, digests={"dict.txt": "e"}), "another vocabulary than the one given"),
        (replace(WANTED, digests={"dict.txt": "d"}, vocabulary={}), None),
    ],
)
def test_what_two_runs_must_agree_on(wanted: Manifest, reason: str | None):
    assert MANIFEST.conflict(wanted) == reason


def test_learning_cannot_go_on_from_a_given_vocabulary():
    given = replace(MANIFEST, vocabulary={})
    assert given.conflict(WANTED).startswith("a vocabulary that was given")


def test_changed_text_and_lost_files(tmp_path: Path):
    changed = {"mono/de/train": {"sources": {"train.de": "2"}}, "mono/en/train": {"sources": {}}}
    assert MANIFEST.changed_corpora(replace(WANTED, corpora=changed)) == ["mono/de/train"]
    assert MANIFEST.changed_corpora(WANTED) == []
    assert not MANIFEST.is_finished("mono/de/train", tmp_path)
    (tmp_path / "a").write_text("xx")
    assert MANIFEST.is_finished("mono/de/train", tmp_path)
    (tmp_path / "a").write_text("x")
    assert not MANIFEST.is_finished("mono/de/train", tmp_path)
