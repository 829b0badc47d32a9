"""The files of predictions have the names and the form that XTREME's evaluate.py expects."""

import json

import pytest

from fairseq_amber.inference.prediction.submission import submission_path, write_predictions


@pytest.mark.parametrize(
    ("task", "split", "path"),
    [
        ("pos", "test", "udpos/test-de.tsv"),
        ("ner", "valid", "panx/dev-de.tsv"),
        ("pawsx", "test", "pawsx/test-de.tsv"),
        ("squad", "test", "xquad/test-de.json"),
        ("tydiqa", "test", "tydiqa/test-de.json"),
    ],
)
def test_names_of_xtreme(task, split, path):
    assert (
        submission_path("out", task, split, "de", by_id=path.endswith("json")).as_posix()
        == f"out/{path}"
    )


def test_files_of_predictions(tmp_path):
    write_predictions(tmp_path / "tags", [["DET", "NOUN"], ["VERB"]])
    assert (tmp_path / "tags").read_text() == "DET\nNOUN\n\nVERB\n"
    write_predictions(tmp_path / "labels", ["neutral", "entailment"])
    assert (tmp_path / "labels").read_text() == "neutral\nentailment\n"
    write_predictions(tmp_path / "answers", {"q": "北京"})
    text = (tmp_path / "answers").read_bytes().decode("ascii")
    assert json.loads(text) == {"q": "北京"}
