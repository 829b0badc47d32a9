"""Reports of results that come from others."""

# ruff: noqa: F811 (fixtures are imported)
import csv
import json
import zipfile

import numpy as np
import pytest

from checkpoint_fixtures import fairseq_amber_command  # noqa: F401

HOSTILE = "<script>alert(1)</script>|x\n# H\x1b]0;title\x07 $\\frac$"


@pytest.fixture
def result(tmp_path):
    """Writes a result: ``(name, **changes) ->`` its path."""

    def write(name, **changes):
        per_language = {"de-en": {"score": 80.0, "n": 3, "layers": {"0": 1.0, "1": 80.0}}}
        content = {"task": "retrieval", "metric": "accuracy", "system": name, "score": 80.0}
        content = {**content, "per_language": per_language, "n": 3, "config": {}, **changes}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_names_are_shown_as_text_everywhere(fairseq_amber_command, result, tmp_path):
    """A result JSON of somebody else wrote HTML into report.md and commands to the terminal."""
    paths = [
        result("x", system=HOSTILE, config={"note": "<img src=x onerror=alert(1)>"}),
        result("y", metric="<b>", score=2.5, n=1, per_language={"=1+1": {"score": 2.5, "n": 1}}),
    ]
    report = tmp_path / "report"
    heatmap = tmp_path / "p.png"
    heatmap.write_bytes(b"")
    flags = ["--heatmap", f"# <i>c</i>\n]={heatmap}"]
    status, out, err = fairseq_amber_command("report", *paths, "--output", report, *flags)
    assert status == 0, err
    document = (report / "report.md").read_text(encoding="utf-8")
    for text in (document, out):
        assert not any(tag in text for tag in ("<script", "<img", "<b>", "<i>"))
        assert all(character.isprintable() or character == "\n" for character in text)
    header = document.splitlines()[2]
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\|x\\n# H\\x1b\]0;title" in header
    table = [line for line in document.splitlines() if line.startswith("|")]
    widths = {line.replace(r"\|", "").count("|") for line in table}
    assert widths == {4}  # the table is whole: two systems
    with open(report / "report.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["de-en", "'=1+1"]
    assert float(rows[1]["mean"]) == 2.5
    assert (report / "retrieval_by_layer.svg").exists()


def test_a_copy_is_no_second_seed(fairseq_amber_command, result, tmp_path):
    """A copy of a result gave a mean with the deviation 0."""
    config = {"checkpoint": "a.pt"}
    one, two = (result(name, system="A", config=config) for name in ("x", "y"))
    status, _, err = fairseq_amber_command("report", one, two, "--output", tmp_path / "report")
    assert status == 2 and "y.json holds the same result as" in err
    assert not (tmp_path / "report").exists()


def test_a_system_with_the_name_of_the_baseline(fairseq_amber_command, result, tmp_path):
    """The error blamed the settings of the two, though there was one result."""
    parts = {"de": {"score": 80.0, "n": 3, "baseline_f1": 1.0}}
    path = result("x", system="baseline", per_language=parts)
    status, _, err = fairseq_amber_command("report", path, "--output", tmp_path / "report")
    assert status == 2 and "has the name baseline" in err and "another --name" in err
    assert (
        fairseq_amber_command("report", result("y", system="baseline"), "--output", tmp_path)[0]
        == 0
    )


@pytest.mark.parametrize("name", ["bad", "gold"])
def test_an_error_does_not_command_the_terminal(name, fairseq_amber_command, tmp_path):
    """A line of a file went to the terminal as it is, with ESC [2J, which clears the screen."""
    for file in ("bad", "gold"):
        (tmp_path / file).write_text("0-0\nx\x1b[2J-1\n" if file == name else "0-0\n0-0\n")
    status, _, err = fairseq_amber_command("aer", tmp_path / "bad", tmp_path / "gold")
    assert status == 2 and err.count("\n") == 1
    assert rf"{name}:2: 'x\x1b[2J-1' is not a link" in err and "\x1b" not in err


def header(shape):
    """The header of a .npy file of float32."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_outcomes_that_claim_to_be_huge_are_refused(fairseq_amber_command, result, tmp_path):
    """A file of 300 bytes that claimed 800 GB ended in a traceback of NumPy."""
    paths = [result(name) for name in "ab"]
    for path in paths:
        with zipfile.ZipFile(path.with_suffix(".items.npz"), "w") as archive:
            archive.writestr("de-en/score.npy", header((100_000_000_000, 2)))
    report = tmp_path / "report"
    flags = ["--compare", "a", "b", "--output", report]
    status, _, err = fairseq_amber_command("report", *paths, *flags)
    assert status == 2 and err.count("\n") == 1
    assert "a.items.npz is not a file of outcomes; measure again" in err
    assert not report.exists()


@pytest.mark.parametrize("damage", [header((10**11, 2)), header("(3, 2")])
def test_vectors_with_a_damaged_header_are_refused(damage, fairseq_amber_command, tmp_path):
    """A flipped bit in the header of a .npy ended in a traceback of Python's tokeniser."""
    path = tmp_path / "x.npy"
    path.write_bytes(damage + np.ones(6, "<f4").tobytes())
    command = ["mine", "--vectors", path, path, "--output", tmp_path / "out"]
    status, _, err = fairseq_amber_command(*command)
    assert status == 2 and err.count("\n") == 1
    assert f"{path} is not a complete .npy of floats" in err
    assert not (tmp_path / "out").exists()
