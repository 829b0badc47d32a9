"""Reading the raw files of the tasks, and finding them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.classification import read_pairs
from fairseq_amber.preparation.task.labels import number_labels, ordered, read_labels
from fairseq_amber.preparation.task.sources import collect_sources
from fairseq_amber.preparation.task.tagging import read_tagged


def write(tmp_path: Path, text: str | bytes, name: str = "x.tsv") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tagged_sentences(end: str, newline: str, tmp_path: Path):
    text = "Al\tPROPN\n1 000\tNUM\n\n\u3000\tX\n\nnext\u2028line\tX" + end
    path = write(tmp_path, "\ufeff" + text.replace("\n", newline))
    file = read_tagged(path, labelled=True)
    assert file.words == ["Al", "1 000", "\u3000", "next\u2028line"]
    assert file.labels == ["PROPN", "NUM", "X", "X"]
    assert file.sentence_lengths == [2, 1, 1]
    assert [file.line(i) for i in range(4)] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    "text", ["Al\n1 000\n\nis\n", "Al\t\n1 000\t\n\nis\t\n", "Al\n1 000\t\n\nis"]
)
def test_blank_labels_of_test_files(text: str, tmp_path: Path):
    file = read_tagged(write(tmp_path, text), labelled=False)
    assert (file.words, file.labels) == (["Al", "1 000", "is"], [""] * 3)
    with pytest.raises(UserError, match="x.tsv:1: no label behind a tab; add it$"):
        read_tagged(file.path, labelled=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("\na\tX\n", "x.tsv:1: a sentence with no words"),
        ("a\tX\n\n\nb\tX\n", "x.tsv:3: a sentence with no words"),
        ("\n\n", "x.tsv:1: a sentence with no words"),
        ("a\tX\n\tX\n", "x.tsv:2: no word before the tab"),
        ("a\tX\n \tX\n", "x.tsv:2: no word before the tab"),
        ("a\tX\nb\tX\tY\n", "x.tsv:2: 3 columns; a line is word<TAB>label"),
        ("a\tX\n\nb\n", "x.tsv:3: no label behind a tab; add it, or blank them all"),
        (b"a\tX\nb\xff\tX\n", "x.tsv:2: not UTF-8"),
        ("", "x.tsv is empty"),
    ],
)
def test_broken_tagged_files(text: str | bytes, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        read_tagged(write(tmp_path, text), labelled=False)


AWKWARD = [
    ('He said "hi".', "a", "0"),
    ('"', '""', "1"),
    ('"all quoted"', 'b "', "0"),
    ("it's, fine", '" c', "1"),
    ('"x" and "y"', '"""', "0"),
]


@pytest.mark.parametrize("columns", [2, 3])
def test_what_the_csv_writer_wrote(columns: int, tmp_path: Path):
    """As XTREME's preprocessing does."""
    path = tmp_path / "x.tsv"
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows(row[:columns] for row in AWKWARD)
    file = read_pairs(path, labelled=columns == 3)
    assert list(zip(file.first, file.second)) == [row[:2] for row in AWKWARD]
    assert file.labels == [row[2] if columns == 3 else "" for row in AWKWARD]


def test_quotation_marks_that_no_csv_writer_wrote(tmp_path: Path):
    rows = [('"Hello."', '"a', "0"), ('say "x"', '"x" or "y"', "1"), ('""', '"', "0")]
    rows += [('"a"b""c"', 'a "b', "1")]
    path = write(tmp_path, "".join("\t".join(row) + "\n" for row in rows))
    file = read_pairs(path, labelled=True)
    assert list(zip(file.first, file.second, file.labels)) == rows


def test_other_names_of_labels(tmp_path: Path):
    file = read_pairs(write(tmp_path, " a \tb\tcontradictory \n"), labelled=True)
    assert (file.first, file.second, file.labels) == (["a"], ["b"], ["contradiction"])


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\tb\t0\nc\n", "x.tsv:2: 1 column instead of 3"),
        ("a\tb\t0\n\n", "x.tsv:2: 1 column instead of 3"),
        ("id\ta\tb\t0\n", "x.tsv:1: 4 columns instead of 3; a line is sentence<TAB>sentence"),
        ("a\tb\t0\n \tb\t0\n", "x.tsv:2: the first sentence is empty"),
        ("a\t\t0\n", "x.tsv:1: the second sentence is empty"),
        ("a\tb\t0\na\tb\n", "x.tsv:2: no label behind a tab"),
    ],
)
def test_broken_pairs(text: str, message: str, tmp_path: Path):
    with pytest.raises(UserError, match=message):
        read_pairs(write(tmp_path, text), labelled=False)


def test_numbers_of_labels(tmp_path: Path):
    first = read_pairs(write(tmp_path, "a\tb\tyes\nc\td\tno\n", "1.tsv"), labelled=True)
    second = read_pairs(write(tmp_path, "a\tb\n", "2.tsv"), labelled=False)
    numbers = number_labels([first, second], ["no", "yes"], "here")
    assert numbers.tolist() == [1, 0, -1] and numbers.dtype == "int16"
    with pytest.raises(UserError, match="1.tsv:2: unknown label 'no'; here has yes, maybe"):
        number_labels([first, second], ["yes", "maybe"], "here")
    assert ordered(["b", "O", "B-X", "b"]) == ["O", "B-X", "b"]


def test_files_of_labels(tmp_path: Path):
    assert read_labels(write(tmp_path, "B\nO\nA\n")) == ["B", "O", "A"]
    with pytest.raises(UserError, match="x.tsv:3: the label 'B' is there twice"):
        read_labels(write(tmp_path, "B\nO\nB\n"))
    with pytest.raises(UserError, match="x.tsv:2: an empty line"):
        read_labels(write(tmp_path, "B\n\nA\n"))


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
        with pytest.raises(UserError, match="is no language such as en"):
            collect_sources("pos", None, {"test": [(name, path)]})
