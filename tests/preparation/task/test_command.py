"""The command ``fairseq-amber prepare-task``: its progress and its flags."""

from __future__ import annotations

import pytest


def test_it_says_how_far_it_is(prepare, progress_of, monkeypatch):
    monkeypatch.setattr("fairseq_amber.preparation.task.encoder._TEXTS", 2)
    status, out, err = prepare("pos", "--train", "en=train.tsv", "--test", "zh=test.tsv")
    found = progress_of(err)
    assert list(found) == ["reading", "encoding train en", "encoding test zh"]
    assert found["reading"] == "2 of 2 texts"
    for counts in found.values():
        done, _, total, _ = counts.split()
        assert done == total
    assert "fairseq-amber:" not in out


def test_malformed_flags(prepare):
    with pytest.raises(SystemExit):
        prepare("pos", "--train", "train.tsv")
