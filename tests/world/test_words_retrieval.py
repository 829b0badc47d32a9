"""Retrieval in XTREME's layout."""

# ruff: noqa: F811 (fixtures are imported)
import json

import pytest

from checkpoint_fixtures import (  # noqa: F401
    PAIRS,
    checkpoint,
    data_folder,
    encoder,
    fairseq_amber_command,
)

SOURCES = [source for source, _ in PAIRS] + ["zwei alte Bäume", "nein", "heute", "kalt"]
TARGETS = [target for _, target in PAIRS] + ["two old trees", "no", "today", "cold"]


@pytest.fixture
def xtreme(tmp_path):
    """XTREME's folders: tatoeba/de-en.{de,en} as utils_preprocess.py writes them, with the English
    lines sorted, and labels/test-de.tsv."""
    folder, labels = tmp_path / "tatoeba", tmp_path / "labels"
    folder.mkdir()
    labels.mkdir()
    ordered = sorted(zip(TARGETS, range(len(TARGETS))), key=lambda x: x[0])
    (folder / "de-en.de").write_text("".join(f"{x}\n" for x in SOURCES), encoding="utf-8")
    (folder / "de-en.en").write_text("".join(f"{t}\n" for t, _ in ordered), encoding="utf-8")
    (labels / "test-de.tsv").write_text("".join(f"{i}\n" for _, i in ordered))
    return folder, labels


def accuracy(predicted, labels):
    """XTREME's evaluate.py: read_label and accuracy."""
    predictions, gold = ([line.strip() for line in open(path)] for path in (predicted, labels))
    assert len(predictions) == len(gold)
    return 100 * sum(int(p == x) for p, x in zip(predictions, gold)) / len(predictions)


def test_xtremes_folder_is_read_scored_and_submitted(
    xtreme, fairseq_amber_command, checkpoint, tmp_path
):
    """google-research/xtreme#21, #61, facebookresearch/LASER#96: the sorted English scored 0 %
    without a word, and nobody could see which line was found."""
    folder, labels = xtreme
    command = ["retrieve", checkpoint, "--folder", folder, "--split", "tatoeba"]
    status, table, err = fairseq_amber_command(*command)
    assert status == 0 and table.splitlines()[1].startswith("de-en")
    assert err.count("\n") == 1 and f"the lines of {folder / 'de-en.en'} are sorted" in err
    assert "--gold" in err
    out, result = tmp_path / "out", tmp_path / "r.json"
    flags = ["--gold", labels, "--output", out, "--json", result]
    status, _, err = fairseq_amber_command(*command, *flags)
    assert (status, err) == (0, "")
    parts = json.loads(result.read_text())["per_language"]["de-en"]
    submitted = out / "tatoeba" / "test-de.tsv"
    assert accuracy(submitted, labels / "test-de.tsv") == pytest.approx(parts["backward"])
    forward = [line.split("\t") for line in (out / "de-en.forward.tsv").read_text().splitlines()]
    gold = list(map(int, (labels / "test-de.tsv").read_text().split()))
    right = [gold[int(number)] == line for line, (number, _) in enumerate(forward)]
    assert 100 * sum(right) / len(right) == pytest.approx(parts["forward"])
    assert 0 < sum(right) < len(right) and all(-1 <= float(score) <= 1 for _, score in forward)


@pytest.mark.parametrize("place", ["json", "items", "output"])
def test_a_place_that_cannot_be_written_leaves_no_half_of_the_results(
    place, xtreme, fairseq_amber_command, checkpoint, tmp_path
):
    """The outcomes stayed without their result where the result could not be written."""
    folder, labels = xtreme
    result, out = tmp_path / "results" / "r.json", tmp_path / "results" / "out"
    blocked = {
        "json": result,
        "items": result.with_suffix(".items.npz"),
        "output": out / "de-en.backward.tsv",
    }[place]
    blocked.mkdir(parents=True)
    (blocked / "own").write_text("")
    flags = ["--gold", labels, "--output", out, "--json", result]
    status, _, err = fairseq_amber_command("retrieve", checkpoint, "--folder", folder, *flags)
    assert status == 2 and err.count("\n") == 1 and f"cannot write {blocked}" in err
    left = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert left == [blocked / "own"]
