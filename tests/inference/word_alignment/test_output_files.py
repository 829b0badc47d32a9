"""The files of links, scores and settings, for one layer and for several."""

import json

import pytest

from fairseq_amber.inference.word_alignment.output_files import layer_of


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def align(fairseq_amber_command, checkpoint, corpus):
    """Runs `align` on one text, or with "--folder" on all."""

    def run(*flags):
        sides = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
        text = [] if "--folder" in flags else sides
        status, out, err = fairseq_amber_command("align", checkpoint, *text, *flags)
        assert status == 0, err
        return out, err

    return run


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_scores_lie_beside_the_links_line_by_line(align, work):
    out = work / "x.align"
    align("--method", "entmax", "--temperature", 1, "--scores", "--output", out)
    assert names(work) == ["x.align", "x.align.scores", "x.align.settings"]
    scores = (work / "x.align.scores").read_text().split("\n")
    links = out.read_text().split("\n")
    assert [len(line.split()) for line in scores] == [len(line.split()) for line in links]
    assert all(0 < float(score) <= 1 for line in scores for score in line.split())
    _, err = align("--output", out)
    assert f"warning: {out}.scores holds the scores of other links" in err


def test_several_layers_are_folders_of_what_one_layer_is(align, corpus, work):
    out, one = work / "out", work / "one"
    align("--folder", corpus, "--layers", "1,3", "--scores", "--output", out)
    files = [
        f"test.{pair}.align{end}"
        for pair in ("de-en", "en-de")
        for end in ("", ".scores", ".settings")
    ]
    assert names(out) == [f"layer-{n}/{name}" for n in (1, 3) for name in files]
    for layer in (1, 3):
        align("--folder", corpus, "--layer", layer, "--scores", "--output", one)
        for name in files:
            assert (out / f"layer-{layer}" / name).read_bytes() == (one / name).read_bytes()


def test_several_layers_of_one_text_are_files(align, work):
    align("--layers", "all", "--output", work)
    links = [f"layer-{n}.align" for n in range(4)]
    assert names(work) == sorted([*links, *(f"{name}.settings" for name in links)])
    assert (work / "layer-2.align").read_text() == align()[0]
    found = json.loads((work / "layer-3.align.settings").read_text())["settings"]
    assert (found["layer"], found["layers"]) == (3, 3)
    assert [layer_of(work / name) for name in (*links, "layer-1.align.settings")] == [
        *range(4),
        None,
    ]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--layers", "all"], "--layers needs --output FOLDER"),
        (["--scores"], "--scores needs --output FILE"),
        (["--layers", "1", "--layer", "1", "--output", "o"], "--layers is in place of --layer"),
        (["--layers", "1,4", "--output", "o"], "--layers 4: the model has layers 1 to 3"),
        (["--layers", "1,3", "--method", "attention", "--output", "o"], "reads the last layer"),
        (["--layers", "1", "--output", "o", "--plot", "1", "a.png"], "--plot draws one layer"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    flags, message, fairseq_amber_command, checkpoint, corpus, work
):
    sides = ["--source", corpus / "test.de-en.de", "--target", corpus / "test.de-en.en"]
    status, _, err = fairseq_amber_command("align", checkpoint, *sides, *flags)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert list(work.iterdir()) == []
