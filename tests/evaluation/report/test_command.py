import csv
import json

import pytest


def test_shows_systems_side_by_side(fairseq_amber_command, checkpoint, corpus, tmp_path):
    results = []
    for name, seed in (("first", 1), ("second", 2), ("second", 3)):
        results.append(tmp_path / f"{name}{seed}.json")
        fairseq_amber_command(
            "retrieve",
            checkpoint,
            "--folder",
            corpus,
            "--reinitialize",
            seed,
            "--name",
            name,
            "--json",
            results[-1],
        )
    picture = tmp_path / "p.png"
    picture.write_bytes(b"picture")
    picture.with_suffix(".svg").write_bytes(b"lines")
    (tmp_path / "alone.svg").write_bytes(b"more lines")
    output = tmp_path / "report"
    heatmaps = ["--heatmap", f"An alignment={picture}", "--heatmap", f"B={tmp_path / 'alone.svg'}"]
    status, text, err = fairseq_amber_command("report", *results, "--output", output, *heatmaps)
    assert status == 0, err
    assert (output / "alignment_1.png").read_bytes() == b"picture"
    assert (output / "alignment_1.svg").read_bytes() == b"lines"
    assert (output / "alignment_2.svg").read_bytes() == b"more lines"
    assert not (output / "alignment_2.png").exists()
    # pictures of a report in itself, in another order
    parts = [output / "alignment_2.svg", output / "alignment_1.png"]
    heatmaps = [flag for path in parts for flag in ("--heatmap", f"C={path}")]
    assert fairseq_amber_command("report", "--output", output, *heatmaps)[0] == 0
    assert (output / "alignment_1.svg").read_bytes() == b"more lines"
    assert (output / "alignment_2.png").read_bytes() == b"picture"
    heatmaps = ["--heatmap", f"An alignment={picture}"]
    assert fairseq_amber_command("report", *results, "--output", output, *heatmaps)[0] == 0
    content = json.loads((output / "report.json").read_text())
    [section] = content["sections"]
    labels = [row["label"] for row in section["rows"]]
    assert labels == ["de → en", "en → de", "en → de", "de → en", "mean"]  # of two pairs of files
    assert len(section["rows"][0]["systems"]["second"]["values"]) == 2
    document = (output / "report.md").read_text()
    assert text.splitlines()[0] in document and "![An alignment](alignment_1.png)" in document
    assert "±" in text and document.count("reinitialized_with_seed") == 3


def test_writes_every_number_as_csv(fairseq_amber_command, results, tmp_path):
    assert fairseq_amber_command("report", *results, "--output", tmp_path / "report")[0] == 0
    with open(tmp_path / "report" / "report.csv", newline="") as file:
        good, bad = csv.DictReader(file)
    assert good == {
        "task": "word_alignment",
        "metric": "AER",
        "row": "de-en",
        "system": "good",
        "mean": "0.0",
        "std": "0.0",
        "runs": "2",
        "best": "1",
    }
    assert (bad["mean"], bad["std"], bad["runs"], bad["best"]) == ("100.0", "", "1", "0")


def test_draws_layers_and_sentence_spaces(fairseq_amber_command, checkpoint, corpus, tmp_path):
    sweep, output = tmp_path / "r.json", tmp_path / "report"
    parts = {"score": 2.0, "n": 4, "layers": {"0": 1.0, "1": 2.0}}
    sweep.write_text(
        json.dumps(
            dict(
                task="retrieval",
                metric="accuracy",
                system="A",
                score=2.0,
                n=4,
                config={},
                per_language={"de-en": parts},
            )
        )
    )
    space = ["--space", f"A={checkpoint}", "--space", f"B={checkpoint}", "--space-folder", corpus]
    status, text, err = fairseq_amber_command("report", sweep, "--output", output, *space)
    assert status == 0, err
    document = (output / "report.md").read_text()
    for name in ("retrieval_by_layer", "sentence_space"):
        assert (output / f"{name}.png").stat().st_size > 3000
        assert "<svg" in (output / f"{name}.svg").read_text()
        assert f"({name}.png)" in document
    # pictures alone, of one pair, by t-SNE
    arguments = [*space, "--space-pairs", "de-en", "--space-method", "tsne"]
    status, text, err = fairseq_amber_command("report", "--output", tmp_path / "new", *arguments)
    assert status == 0, err
    assert "t-SNE" in (tmp_path / "new" / "sentence_space.svg").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "nothing to report"),
        (["{x}"], "is not a result"),
        (["{r}", "--curves", "tb"], "NAME=DIR"),
        (["{r}", "--heatmap", "a=none.png"], "none.png is missing"),
        (["{r}", "--heatmap", "a={x}"], "neither a .png nor an .svg"),
        (["--space", "A={ck}"], "--space needs --space-folder"),
        (["--space", "A={ck}", "--space-folder", "{dir}", "--space-sentences", "1"], "less than 2"),
        (
            ["--space", "A={ck}", "--space-folder", "{dir}", "--space-pairs", "de-fr"],
            "no pair 'de-fr'; it has de-en, en-de",
        ),
        (["{r}", "--space", "A={r}", "--space-folder", "{dir}"], "not a complete checkpoint"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, results, checkpoint, corpus, tmp_path
):
    places = {"r": results[0], "ck": checkpoint, "dir": corpus, "x": corpus / "test.de-en.de"}
    arguments = [argument.format(**places) for argument in arguments]
    output = tmp_path / "report"
    status, _, err = fairseq_amber_command("report", *arguments, "--output", output)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert not output.exists()
