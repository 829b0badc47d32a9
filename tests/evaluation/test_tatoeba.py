import argparse

import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation import tatoeba
from fairseq_amber.evaluation.tatoeba import (
    RetrievalText,
    check_output,
    find_tatoeba,
    read_aligned,
    retrieval_files,
    write_found,
)
from fairseq_amber.files.parallel_text import ParallelFiles
from fairseq_amber.metrics.retrieval import Neighbours

WORDS = "yes no red house dog water train morning child tree lake".split()


@pytest.fixture
def layout(tmp_path):
    """XTREME's folder: a source in some order, and the sorted target."""
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for source in ("de", "fr"):
        (folder / f"{source}-en.{source}").write_text("".join(f"{word}\n" for word in WORDS))
        (folder / f"{source}-en.en").write_text("".join(f"{word}\n" for word in sorted(WORDS)))
    return folder


def flags(**given):
    names = ("folder", "source", "target", "gold", "pairs")
    return argparse.Namespace(**{**dict.fromkeys(names), "split": "test", **given})


def test_the_layout_is_found_unless_files_are_named_after_the_split(layout):
    files = retrieval_files(flags(folder=layout))
    assert files == find_tatoeba(layout)
    assert files[0] == ParallelFiles("de-en", layout / "de-en.de", layout / "de-en.en")
    assert [pair.name for pair in files] == ["de-en", "fr-en"]
    assert [p.name for p in retrieval_files(flags(folder=layout, pairs="fr-en"))] == ["fr-en"]
    sides = {"source": layout / "de-en.de", "target": layout / "de-en.en"}
    assert retrieval_files(flags(**sides)) == files[:1]
    for language in ("sw", "en"):
        (layout / f"test.sw-en.{language}").write_text("a\n")
    assert [pair.name for pair in retrieval_files(flags(folder=layout))] == ["sw-en"]
    (layout / "fr-en.en").unlink()
    with pytest.raises(UserError, match="has fr-en.fr but lacks fr-en.en"):
        find_tatoeba(layout)


def test_the_source_is_put_in_the_order_of_the_target(layout):
    [pair, _] = find_tatoeba(layout)
    order = sorted(range(len(WORDS)), key=WORDS.__getitem__)
    (layout / "test-de.tsv").write_text("".join(f"{number}\n" for number in order))
    for gold in (layout, layout / "test-de.tsv"):
        assert read_aligned(pair, gold) == (sorted(WORDS), sorted(WORDS), order)


@pytest.mark.parametrize(
    "source, target, warns",
    [
        (WORDS, sorted(WORDS), True),
        (sorted(WORDS), WORDS, True),
        (sorted(WORDS), sorted(WORDS), False),
        (WORDS, WORDS, False),
        (WORDS[:9], sorted(WORDS[:9]), False),
        (WORDS, ["same"] * len(WORDS), False),
    ],
)
def test_one_sorted_side_is_named(source, target, warns, tmp_path, monkeypatch):
    warned: list = []
    monkeypatch.setattr(tatoeba, "warn", warned.append)
    paths = tmp_path / "a", tmp_path / "b"
    for path, lines in zip(paths, (source, target)):
        path.write_text("\n".join(lines) + "\n")
    read_aligned(ParallelFiles("a-b", *paths), None)
    assert len(warned) == warns
    if warns:
        assert f"the lines of {paths[source is WORDS]} are sorted" in warned[0]


def test_lines_are_numbered_as_in_the_files(tmp_path):
    # aligned lines a A, b B, c C, which the source file has as b, c, a
    text = RetrievalText(list("abc"), list("ABC"), [2, 0, 1])
    found = Neighbours(
        torch.tensor([0, 2, 2]),  # a finds A, b and c find C
        torch.tensor([0, 0, 2]),  # A and B find a, C finds c
        torch.tensor([0.5, 0.25, 0.75]),
        torch.tensor([0.5, 0.125, 0.75]),
    )
    called = []
    write_found(tmp_path, {"de-en": text}, {"de-en": found}, lambda: called.append(1))
    contents = {path.name: path.read_text() for path in tmp_path.rglob("*.tsv")}
    assert contents == {
        "test-de.tsv": "2\n2\n1\n",
        "de-en.forward.tsv": "2\t0.250000\n2\t0.750000\n0\t0.500000\n",
        "de-en.backward.tsv": "2\t0.500000\n2\t0.125000\n1\t0.750000\n",
    }
    assert (tmp_path / "tatoeba" / "test-de.tsv").exists() and called == [1]


def test_nothing_is_written_if_the_last_file_cannot_be(tmp_path):
    text = RetrievalText(["a"], ["A"], [0])
    found = Neighbours(*[torch.zeros(1).long()] * 2, *[torch.zeros(1)] * 2)

    def fail():
        raise UserError("full")

    with pytest.raises(UserError, match="full"):
        write_found(tmp_path / "out", {"de-en": text}, {"de-en": found}, fail)
    assert not (tmp_path / "out").exists()


def test_names_of_outputs_are_checked(tmp_path):
    check_output(tmp_path, ["de-en", "fr-en"])
    with pytest.raises(UserError, match="--output: de-en and de-fr have the same source"):
        check_output(tmp_path, ["de-en", "de-fr"])
    (tmp_path / "tatoeba" / "test-de.tsv").mkdir(parents=True)
    with pytest.raises(UserError, match="test-de.tsv: it is a folder"):
        check_output(tmp_path, ["de-en"])
    (tmp_path / "x").write_text("")
    with pytest.raises(UserError, match="x is a file; name a folder"):
        check_output(tmp_path / "x", ["de-en"])
