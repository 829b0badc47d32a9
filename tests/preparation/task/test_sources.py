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


def test_a_file_given_twice_by_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.tsv").write_text("a\tX\n")
    (tmp_path / "b.tsv").symlink_to("a.tsv")
    monkeypatch.chdir(tmp_path)
    for other in (tmp_path / "a.tsv", Path("b.tsv")):
        with pytest.raises(UserError, match="given twice"):
            collect_sources("pos", None, {"train": [("en", Path("a.tsv")), ("en", other)]})


def test_compressed_files_of_xtreme(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "panx").mkdir()
    for name in ("test-de.tsv.gz", "test-fr.tsv", "test-fr.tsv.gz", "test-es.tsv.old"):
        (tmp_path / "panx" / name).write_text("a\tO\n")
    found = collect_sources("ner", tmp_path, {})["test"]
    paths = {language: path.name for language, [path] in found.items()}
    assert paths == {"de": "test-de.tsv.gz", "fr": "test-fr.tsv"}
    assert "test-es.tsv.old is not read: its name is not panx/test-LANG.tsv" in caplog.text
    assert f"test-fr.tsv.gz is not read: {tmp_path / 'panx' / 'test-fr.tsv'} is" in caplog.text
