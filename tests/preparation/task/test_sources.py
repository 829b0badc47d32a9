"""The files that a task is prepared from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.sources import collect_sources
from raw_task_files import write

XTREME = {
    "pos": ["udpos/train-en.tsv", "udpos/train-de.tsv", "udpos/dev-de.tsv", "udpos/test-de.tsv"],
    "ner": ["panx/train-en.tsv", "panx/dev-en.tsv", "panx/test-sw.tsv"],
    "squad": ["squad/train-v1.1.json", "squad/dev-v1.1.json", "xquad/xquad.zh.json"],
    "mlqa": [
        "mlqa/MLQA_V1/dev/dev-context-de-question-de.json",
        "mlqa/MLQA_V1/test/test-context-de-question-de.json",
        "mlqa/MLQA_V1/test/test-context-de-question-ar.json",
    ],
    "tydiqa": [
        "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json",
        "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.fi.train.json",
        "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.fi.dev.json",
    ],
}


@pytest.mark.parametrize(
    "task, expected",
    [
        ("pos", {"train": {"en": 0}, "valid": {"de": 2}, "test": {"de": 3}}),
        ("ner", {"train": {"en": 0}, "valid": {"en": 1}, "test": {"sw": 2}}),
        ("squad", {"train": {"en": 0}, "valid": {"en": 1}, "test": {"zh": 2}}),
        ("mlqa", {"valid": {"de": 0}, "test": {"de": 1}}),
        ("tydiqa", {"train": {"en": 0}, "test": {"fi": 2}}),
    ],
)
def test_xtremes_own_files(task: str, expected: dict, tmp_path: Path):
    for name in XTREME[task]:
        write(tmp_path, "", name)
    if task == "mlqa":
        write(tmp_path, "", "squad/dev-v1.1.json")
    found = {
        split: {language: [tmp_path / XTREME[task][i]] for language, i in languages.items()}
        for split, languages in expected.items()
    }
    assert collect_sources(task, tmp_path, {}) == found


def test_files_given_by_name(tmp_path: Path):
    for name in XTREME["pos"]:
        write(tmp_path, "", name)
    one, two = (write(tmp_path, "", name) for name in ("1.tsv", "2.tsv"))
    given = {"valid": [("en", two), ("en", one)], "test": [("de", one)]}
    expected = {"valid": {"en": [two, one]}, "test": {"de": [one]}}
    assert collect_sources("pos", None, given) == expected
    with_xtreme = collect_sources("pos", tmp_path, given)
    assert with_xtreme["test"] == expected["test"]
    assert set(with_xtreme["valid"]) == {"en", "de"} and set(with_xtreme["train"]) == {"en"}


def test_files_that_are_not_there(tmp_path: Path):
    path = write(tmp_path, "")
    with pytest.raises(UserError, match="no files to prepare; name them by --train"):
        collect_sources("pos", None, {"train": []})
    with pytest.raises(UserError, match="has none of XTREME's files for pos .*udpos/train-LANG"):
        collect_sources("pos", tmp_path, {})
    with pytest.raises(UserError, match="--test de=none.tsv: there is no such file"):
        collect_sources("pos", None, {"test": [("de", Path("none.tsv"))]})
    with pytest.raises(UserError, match="given twice"):
        collect_sources("pos", None, {"test": [("de", path), ("de", path)]})
    for name in ("../de", "de.x", "", "d e"):
        with pytest.raises(UserError, match="is not a language such as en"):
            collect_sources("pos", None, {"test": [(name, path)]})
