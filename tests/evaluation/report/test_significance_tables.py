import json

import pytest


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
    """The number of items is the same, so that only the digest of the gold tells."""
    predicted, gold = tmp_path / "test.de-en.align", tmp_path / "other.de-en.gold"
    _, *others = (tmp_path / "test.de-en.gold").read_text().splitlines()
    gold.write_text("\n".join(["0-0", *others]) + "\n")
    flags = ["--name", "good", "--json", tmp_path / "other.json"]
    assert fairseq_amber_command("aer", predicted, gold, *flags)[0] == 0
    flags = ["--output", tmp_path / "report", "--compare", "good", "bad"]
    paths = [tmp_path / "other.json", results[2]]
    status, _, err = fairseq_amber_command("report", *paths, *flags)
    assert status == 2 and f"good on {gold} and bad on {tmp_path}" in err
    assert not (tmp_path / "report").exists()
    assert fairseq_amber_command("report", *paths, *flags[:2])[0] == 0
    # another file that holds the same gold links in another order
    gold.write_text("\n".join(["2-2 1-1 0-0", *others]) + "\n")
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


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{r}", "--compare", "good", "best"], "no result is of 'best'; they are of good, bad"),
        (["{moved}", "--compare", "good", "good"], "moved.items.npz is missing"),
        (["{other}", "--compare", "good", "good"], "other.items.npz belongs to another result"),
    ],
)
def test_a_comparison_that_cannot_be_made_writes_nothing(
    arguments, message, fairseq_amber_command, results, tmp_path
):
    content = results[0].read_text()
    (tmp_path / "moved.json").write_text(content)
    (tmp_path / "other.json").write_text(content)
    outcomes = (tmp_path / "r2.items.npz").read_bytes()  # of the bad system
    (tmp_path / "other.items.npz").write_bytes(outcomes)
    places = {"r": results[0], "moved": tmp_path / "moved.json", "other": tmp_path / "other.json"}
    arguments = [argument.format(**places) for argument in arguments]
    if arguments[0] == str(results[0]):
        arguments.insert(1, str(results[2]))
    output = tmp_path / "report"
    status, _, err = fairseq_amber_command("report", *arguments, "--output", output)
    assert status == 2
    assert err.startswith("fairseq-amber: error: ") and err.count("\n") == 1
    assert message in err
    assert not output.exists()
