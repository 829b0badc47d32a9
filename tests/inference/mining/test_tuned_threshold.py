"""`fairseq-amber mine --folder`: the threshold is tuned on dev, and test is never looked at."""

import pytest

from fairseq_amber.inference.mining import command


@pytest.fixture
def warned(monkeypatch):
    """The warnings of the command."""
    warnings = []
    monkeypatch.setattr(command, "warn", warnings.append)
    return warnings


def f1(mined, gold):
    right = len(set(mined) & set(gold))
    return 200 * right / (len(mined) + len(gold))


def read_pairs(path):
    return [tuple(line.split("\t")) for line in path.read_text().splitlines()]


def test_the_threshold_is_tuned_on_dev_and_scored_on_test(mine, checkpoint, bucc, tmp_path):
    out = tmp_path / "r.json"
    result, text = mine(checkpoint, "--folder", bucc, out=out)
    scores, config = result["per_language"]["de-en"], result["config"]
    assert (result["task"], result["metric"], result["n"]) == ("mining", "F1", 8)
    assert result["score"] == scores["score"]
    assert config["threshold_source"] == "tuned on dev"
    assert (config["test"], config["split"], config["dev_split"]) == (str(bucc), "test", "dev")
    assert (config["margin"], config["neighbours"], config["retrieval"]) == ("ratio", 4, "max")
    assert (config["search"], config["layer"], config["pooling"]) == ("exact", 3, "mean")
    assert text.splitlines()[0].split() == "pair gold threshold dev P dev R dev F1 P R F1".split()
    shown = [f"{scores[k]:.2f}" for k in ("dev_score", "precision", "recall", "score")]
    assert text.splitlines()[1].split()[5:] == shown
    assert "threshold tuned on dev; ratio margin, 4 neighbours, max; exact search" in text

    # All candidates of dev, whose best cut no other threshold beats.
    sides = [flag for s in ("de", "en") for flag in (bucc / f"de-en.dev.{s}",)]
    files = ["--format", "bucc", "--source", sides[0], "--target", sides[1]]
    _, listing = mine(checkpoint, *files)
    values = [float(line.split("\t")[0]) for line in listing.splitlines()]
    _, listing = mine(checkpoint, *files, "--ids")
    candidates = [tuple(line.split("\t")) for line in listing.splitlines()]
    gold = read_pairs(bucc / "de-en.dev.gold")
    best = max(f1(candidates[:n], gold) for n in range(1, len(candidates) + 1))
    kept = [pair for pair, value in zip(candidates, values) if value >= scores["threshold"]]
    assert f1(kept, gold) == pytest.approx(best) == pytest.approx(scores["dev_score"])
    assert values == sorted(values, reverse=True)

    # At that threshold, given by hand, the test files score the same.
    files = [
        flag
        for name, end in (("source", "de"), ("target", "en"), ("gold", "gold"))
        for flag in (f"--{name}", bucc / f"de-en.test.{end}")
    ]
    given, _ = mine(
        *(checkpoint, *files, "--format", "bucc", "--threshold", repr(scores["threshold"])),
        out=out,
    )
    assert given["score"] == scores["score"] and given["config"]["threshold_source"] == "given"
    ends = [f"de-en.test.{end}" for end in ("de", "en", "gold")]
    assert given["config"]["test"] == " ".join(str(bucc / end) for end in ends)
    assert "split" not in given["config"] and "dev_split" not in given["config"]


def test_test_gold_changes_neither_threshold_nor_pairs(
    mine, checkpoint, bucc, tmp_path, write_split, warned
):
    thresholds, outputs, scores = set(), set(), []
    for gold in (None, [(9, 9), (10, 3), (2, 14)], "none"):
        if gold == "none":
            (bucc / "de-en.test.gold").unlink()
        else:
            write_split(bucc, "test", 20, gold)
        result, _ = mine(
            *(checkpoint, "--folder", bucc, "--output", tmp_path / "out"),
            out=tmp_path / "r.json",
        )
        thresholds.add(result["per_language"]["de-en"]["threshold"])
        outputs.add((tmp_path / "out" / "de-en.test.mined").read_text())
        scores.append((result["metric"], result["score"]))
    assert len(thresholds) == len(outputs) == 1
    assert scores[0][1] != scores[1][1]
    assert scores[2][0] == "F1 on dev"
    assert [line[:21] for line in warned] == ["without gold for test"]


def test_dev_gold_does_change_the_threshold(mine, checkpoint, bucc, tmp_path, write_split):
    thresholds = set()
    for gold in (None, [(9, 9), (10, 3), (2, 14)]):
        write_split(bucc, "dev", 10, gold)
        result, _ = mine(checkpoint, "--folder", bucc, out=tmp_path / "r.json")
        thresholds.add(result["per_language"]["de-en"]["threshold"])
    assert len(thresholds) == 2


def test_a_folder_of_dev_alone_says_that_its_score_is_an_upper_bound(
    mine, checkpoint, bucc, tmp_path, warned
):
    for path in bucc.glob("*.test.*"):
        path.unlink()
    result, text = mine(checkpoint, "--folder", bucc, "--output", tmp_path)
    assert "dev P" in text
    assert ["an upper bound" in line for line in warned] == [True]
    assert (tmp_path / "de-en.dev.mined").exists()


def test_a_given_threshold_needs_no_dev(mine, checkpoint, bucc, tmp_path):
    for path in bucc.glob("*.dev.*"):
        path.unlink()
    flags = (checkpoint, "--folder", bucc, "--threshold", "-9")
    result, _ = mine(*flags, out=tmp_path / "r.json")
    parts = result["per_language"]["de-en"]
    assert parts["threshold"] == -9 and "dev_score" not in parts
    (bucc / "de-en.test.gold").unlink()
    _, text = mine(*flags, "--output", tmp_path)
    assert text == "" and len(read_pairs(tmp_path / "de-en.test.mined")) == parts["mined"]
