"""What `align` writes beside its links, and `aer` into its JSON."""

import json

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.provenance import (
    merged,
    read_settings,
    settings_path,
    write_settings,
)


@pytest.fixture
def score(fairseq_amber_command, tmp_path):
    """The config of the AER of `predicted` against `gold`, and what `aer` printed."""

    def run(predicted, gold):
        status, text, err = fairseq_amber_command("aer", predicted, gold, "--json", tmp_path / "r")
        assert status == 0, err
        return json.loads((tmp_path / "r").read_text())["config"], text + err

    return run


@pytest.fixture
def align(fairseq_amber_command, checkpoint, corpus):
    def run(*flags):
        status, _, err = fairseq_amber_command("align", checkpoint, "--folder", corpus, *flags)
        assert status == 0, err

    return run


@pytest.fixture
def gold(tmp_path):
    folder = tmp_path / "gold"
    folder.mkdir()
    for name in ("test.de-en", "test.en-de", "valid.de-en"):
        (folder / f"{name}.gold").write_text("0-0\n" * 8)
    return folder


def test_a_score_says_how_its_links_were_made(align, score, gold, checkpoint, tmp_path):
    out = tmp_path / "out"
    align("--output", out, "--method", "transport", "--layer", 2, "--reach", 0.5)
    config, text = score(out, gold)
    expected = {
        **{"checkpoint": str(checkpoint), "architecture": "amber_tiny", "updates": 7},
        **{"method": "transport", "layer": 2, "layers": 3},
        **{"epsilon": 0.1, "iterations": 50, "reach": 0.5},
        **{"units": "words", "word_boundaries": "spaces"},
    }
    assert config == {**expected, "predicted": str(out), "gold": str(gold)}
    assert "method: transport; layer: 2" in text
    one, _ = score(out / "test.de-en.align", gold / "test.de-en.gold")
    assert {**one, "predicted": 0, "gold": 0} == {**expected, "predicted": 0, "gold": 0}
    align("--output", out, "--method", "attention", "--pairs", "en-de")
    config, _ = score(out, gold)
    assert config["method"] == {"de-en": "transport", "en-de": "attention"}
    assert config["reach"] == {"de-en": 0.5, "en-de": None}
    assert config["checkpoint"] == str(checkpoint)


def test_alignments_of_others_say_nothing(align, score, gold, tmp_path):
    out = tmp_path / "out"
    align("--output", out, "--pairs", "de-en")
    (out / "test.de-en.align").write_text("0-0\n" * 8)
    config, text = score(out, gold)
    assert set(config) == {"predicted", "gold"}
    assert f"warning: {settings_path(out / 'test.de-en.align')} belongs to other" in text
    settings_path(out / "test.de-en.align").unlink()
    assert "warning" not in score(out, gold)[1]


def test_files_of_several_splits_are_told_apart(score, gold, tmp_path, fairseq_amber_command):
    out = tmp_path / "out"
    out.mkdir()
    (out / "test.de-en.align").write_text("0-0\n" * 8)
    (out / "valid.de-en.align").write_text("1-1\n" * 8)
    _, text = score(out, gold)
    rows = [line.split() for line in text.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [
        ("test.de-en", "0.00"),
        ("valid.de-en", "100.00"),
        ("mean", "50.00"),
    ]


def test_settings_of_several_files():
    a, b = {"method": "x", "layer": 1}, {"method": "x", "layer": 2, "reach": 3}
    assert merged({"a": a}) == a
    assert merged({"a": a, "b": b}) == {
        "method": "x",
        "layer": {"a": 1, "b": 2},
        "reach": {"a": None, "b": 3},
    }
    assert merged({"a": {}, "b": {}}) == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"digest": "", "settings": 3}'])
def test_what_is_damaged_is_refused(content, tmp_path):
    path = tmp_path / "x.align"
    path.write_text("0-0\n")
    assert read_settings(path) is None
    write_settings(path, {"layer": 3})
    assert read_settings(path) == {"layer": 3}
    settings_path(path).write_text(content)
    with pytest.raises(UserError, match=r"x\.align\.settings does not say what made x\.align"):
        read_settings(path)
