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
    (tmp_path / ".partial" / "folder").mkdir()
    (tmp_path / ".partial" / "link").symlink_to(tmp_path)
    with open_data_folder(tmp_path) as folder:
        assert [path.name for path in folder.partial.iterdir()] == []


def test_discarding_leaves_files_of_others(tmp_path: Path):
    outputs = {"mono/de/train.bin": 1, "mono/fr/train.bin": 1}
    counts = {"lines": 1, "kept": 1, "dropped": {}, "tokens": [1], "unknown": [0]}
    corpus = {"sources": {}, "outputs": outputs, "counts": counts}
    manifest = Manifest({}, {"dict.txt": "1"}, {}, {"mono/de/train": corpus})
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


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path):
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "precious").write_text("kept")
    (out / "mono").symlink_to(outside)
    corpus = {"outputs": {"mono/precious": 4}}
    with open_data_folder(out) as folder:
        with pytest.raises(UserError, match="mono leads out of .*out by a link; remove the link"):
            folder.put("mono/train.bin", b"x")
        with pytest.raises(UserError, match="leads out of"):
            folder.discard(Manifest({}, {}, {}, {"mono/de/train": corpus}))
    (out / ".partial").symlink_to(outside)
    with pytest.raises(UserError, match="partial is a link; remove it"), open_data_folder(out):
        raise AssertionError
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("precious", "kept")]


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dict.txt").symlink_to(tmp_path / "precious")
    with open_data_folder(tmp_path / "out") as folder:
        folder.put("dict.txt", b"x")
    assert not (tmp_path / "out/dict.txt").is_symlink()
    assert (tmp_path / "precious").read_text() == "kept"
