import csv
import json

import pytest

GOLD = ["0-0 1-1 2-2", "0-0 1p1", "0-1 1-0", "0-0", "0-0 1-1", "0-2 1-1 2-0"]
GOOD = ["0-0 1-1 2-2", "0-0", "0-1 1-0", "0-0", "0-0 1-1", "0-2 1-1 2-0"]
BAD = ["0-1", "0-1", "0-0 1-1", "1-0", "0-1 1-0", "0-0 1-0"]


@pytest.fixture
def results(fairseq_amber_command, tmp_path):
    """AER of a good system, twice, and of a bad one, with the outcomes of their pairs."""
    gold = tmp_path / "test.de-en.gold"
    gold.write_text("\n".join(GOLD) + "\n")
    paths = []
    for number, (system, lines) in enumerate([("good", GOOD), ("good", GOOD), ("bad", BAD)]):
        predicted, result = tmp_path / "test.de-en.align", tmp_path / f"r{number}.json"
        predicted.write_text("\n".join(lines) + "\n")
        arguments = [predicted, gold, "--name", system, "--json", result]
        assert fairseq_amber_command("aer", *arguments)[0] == 0
        paths.append(result)
    return paths


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_compares_systems_on_their_items(fairseq_amber_command, results, tmp_path):
    output = tmp_path / "report"
    arguments = [*results, "--output", output, "--compare", "good", "bad"]
    status, text, err = fairseq_amber_command("report", *arguments, "--compare", "bad", "good")
    assert status == 0, err
    comparisons = json.loads((output / "report.json").read_text())["comparisons"]
    assert [(c["first"], c["second"]) for c in comparisons] == [("good", "bad"), ("bad", "good")]
    [task] = comparisons[0]["tasks"]
    assert (task["task"], task["metric"]) == ("word_alignment", "AER")
    [row] = task["rows"]
    assert (row["first"], row["second"], row["n"]) == (0, 100, 6)
    assert row["difference"] == row["low"] == row["high"] == -100
    assert 0.01 < row["p_value"] < 0.08  # 2 of 2^6 swaps
    table = [cells(line) for line in text.splitlines()]
    assert ["", "items", "good", "bad", "difference", "95 %", "p"] in table
    shown = "-100.0" if row["p_value"] >= 0.05 else "**-100.0**"
    p_value = f"{row['p_value']:.3f}"
    assert ["de-en", "6", "0.0", "100.0", shown, "-100.0 to -100.0", p_value] in table
    assert (
        "paired bootstrap" in text and text.split("wrote")[0] in (output / "report.md").read_text()
    )
    # the same again to the byte
    before = (output / "report.json").read_bytes()
    assert fairseq_amber_command("report", *arguments, "--compare", "bad", "good")[0] == 0
    assert (output / "report.json").read_bytes() == before


def test_it_says_how_far_its_comparisons_are(
    fairseq_amber_command, results, tmp_path, progress_of, monkeypatch
):
    monkeypatch.setattr("fairseq_amber.metrics.significance._CELLS", 6 * 1000)
    arguments = [*results, "--output", tmp_path / "report", "--compare", "good", "bad"]
    _, out, err = fairseq_amber_command("report", *arguments)
    assert progress_of(err) == {"comparing on de-en": "9,999 of 9,999 resamples"}
    assert err.count("\n") == 10


def test_other_test_data_is_not_compared(fairseq_amber_command, results, tmp_path):
    """Of as many items, so that nothing but the gold tells."""
    predicted, gold = tmp_path / "test.de-en.align", tmp_path / "other.de-en.gold"
    gold.write_text("\n".join(["0-0", *GOLD[1:]]) + "\n")
    flags = ["--name", "good", "--json", tmp_path / "other.json"]
    assert fairseq_amber_command("aer", predicted, gold, *flags)[0] == 0
    flags = ["--output", tmp_path / "report", "--compare", "good", "bad"]
    paths = [tmp_path / "other.json", results[2]]
    status, _, err = fairseq_amber_command("report", *paths, *flags)
    assert status == 2 and f"good on {gold} and bad on {tmp_path}" in err
    assert not (tmp_path / "report").exists()
    assert fairseq_amber_command("report", *paths, *flags[:2])[0] == 0
    # of the same gold, whose file is another and sorted differently
    gold.write_text("\n".join(["2-2 1-1 0-0", *GOLD[1:]]) + "\n")
    assert (
        fairseq_amber_command("aer", predicted, gold, *["--json", paths[0], "--name", "x"])[0] == 0
    )
    assert fairseq_amber_command("report", *paths, *flags[:2], "--compare", "x", "bad")[0] == 0


def test_a_task_without_outcomes_is_left_out(fairseq_amber_command, results, tmp_path):
    other = json.loads(results[0].read_text())
    other.update(task="tagging", metric="F1")
    paths = []
    for system in ("good", "bad"):
        paths.append(tmp_path / f"tagging-{system}.json")
        paths[-1].write_text(json.dumps({**other, "system": system}))
    flags = ["--output", tmp_path / "report", "--compare", "good", "bad"]
    paths.append(tmp_path / "alone.json")
    paths[-1].write_text(json.dumps({**other, "task": "xnli", "metric": "accuracy"}))
    status, text, _ = fairseq_amber_command("report", *results, *paths, *flags)
    assert status == 0
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    [comparison] = content["comparisons"]
    assert [task["task"] for task in comparison["tasks"]] == ["word_alignment"]
    notes = [line for line in text.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: xnli (accuracy) is left out of good against bad: bad has no result",
        "note: tagging (F1) is left out of good against bad: no RESULT.items.npz lies beside the "
        "results; measure again with --json",
    ]
    assert [entry["task"] for entry in comparison["left_out"]] == ["xnli", "tagging"]
    assert all(note in (tmp_path / "report" / "report.md").read_text() for note in notes)
    status, _, err = fairseq_amber_command("report", *paths, *flags)
    assert status == 2 and "tagging-good.items.npz is missing" in err


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
        (["{r}", "--compare", "good", "best"], "no result is of 'best'; they are of good, bad"),
        (["{moved}", "--compare", "good", "good"], "moved.items.npz is missing"),
        (["{other}", "--compare", "good", "good"], "other.items.npz belongs to another result"),
        (["--space", "A={ck}"], "--space needs --space-folder"),
        (["--space", "A={ck}", "--space-folder", "{dir}", "--space-sentences", "1"], "less than 2"),
        (
            ["--space", "A={ck}", "--space-folder", "{dir}", "--space-pairs", "de-fr"],
            "no pair 'de-fr'; it has de-en, en-de",
        ),
        (["{r}", "--space", "A={r}", "--space-folder", "{dir}"], "no whole checkpoint"),
    ],
)
def test_a_mistake_is_one_clear_line_and_writes_nothing(
    arguments, message, fairseq_amber_command, results, checkpoint, corpus, tmp_path
):
    content = results[0].read_text()
    (tmp_path / "moved.json").write_text(content)
    (tmp_path / "other.json").write_text(content)
    items = (tmp_path / "r2.items.npz").read_bytes()  # of the bad system
    (tmp_path / "other.items.npz").write_bytes(items)
    places = {"r": results[0], "ck": checkpoint, "dir": corpus}
    places.update(moved=tmp_path / "moved.json", other=tmp_path / "other.json")
    arguments = [argument.format(**places) for argument in arguments]
    if arguments and arguments[0] == str(results[0]):
        arguments.insert(1, str(results[2]))
    output = tmp_path / "report"
    status, _, err = fairseq_amber_command("report", *arguments, "--output", output)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert not output.exists()
