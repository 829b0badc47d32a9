"""The folder that a preparation writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.data_folder import open_data_folder
from fairseq_amber.preparation.corpus.manifest import MANIFEST_NAME, Manifest, read_manifest


def test_files_take_their_places_and_temporary_ones_go(tmp_path: Path):
    with open_data_folder(tmp_path / "out") as folder:
        (folder.partial / "made").write_bytes(b"b")
        folder.put("mono/de/a", b"a")
        folder.move(folder.partial / "made", "mono/de/b")
        (folder.partial / "left").write_bytes(b"c")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["a", "b"]
    assert not folder.partial.exists()


def test_a_new_folder_goes_when_nothing_was_written(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), open_data_folder(tmp_path / "out"):
        1 / 0  # noqa: B018
    assert not any(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed(tmp_path: Path):
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "file").write_text("half")
    with open_data_folder(tmp_path) as folder:
        assert [path.name for path in folder.partial.iterdir()] == ["lock"]


def test_discarding_leaves_files_of_others(tmp_path: Path):
    outputs = {"mono/de/train.bin": 1, "mono/fr/train.bin": 1}
    manifest = Manifest({}, {"dict.txt": "1"}, {}, {"mono/de/train": {"outputs": outputs}})
    with open_data_folder(tmp_path) as folder:
        for name in (*outputs, "dict.txt", "mono/fr/mine"):
            folder.put(name, b"x")
        folder.save(manifest)
        assert read_manifest(tmp_path) == manifest
        folder.discard(manifest)
        assert not (tmp_path / MANIFEST_NAME).exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / "mono/fr/mine"] and not (tmp_path / "mono/de").exists()


def test_a_place_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"), open_data_folder(tmp_path / "file/out"):
        raise AssertionError
