"""Edits are applied in order, on a small tree, and each one has a reason and a test."""

import re
from pathlib import Path

import pytest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    (tmp_path / "pkg" / "b.py").write_text("five\n", encoding="utf-8")
    return tmp_path


def edit(edits, anchor, replacement="x\n", until="", file="pkg/a.py"):
    return edits.Edit("name-of-edit", file, anchor, replacement, "why", "o/r#1", until)


def test_edits_are_applied_in_order(edits, tree, monkeypatch):
    first = edit(edits, "two\n", "2\n")
    second = edit(edits, "2\n", "zwei\n")
    monkeypatch.setattr(edits, "EDITS", (first, second, edit(edits, "five", "5", file="pkg/b.py")))
    edits.apply(tree)
    assert (tree / "pkg" / "a.py").read_text() == "one\nzwei\nthree\nfour\n"
    assert (tree / "pkg" / "b.py").read_text() == "5\n"


def test_until_is_kept(edits):
    assert edit(edits, "two\n", until="four").applied_to("one\ntwo\nthree\nfour\n") == (
        "one\nx\nfour\n"
    )


@pytest.mark.parametrize(
    ("anchor", "until", "message"),
    [
        ("six", "", "name-of-edit: pkg/a.py: 'six' must occur once, occurs 0 times"),
        ("o", "", "name-of-edit: pkg/a.py: 'o' must occur once, occurs 3 times"),
        ("two", "one", "name-of-edit: pkg/a.py: 'one' does not follow the anchor"),
    ],
)
def test_an_anchor_that_does_not_fit_is_named(edits, tree, monkeypatch, anchor, until, message):
    monkeypatch.setattr(
        edits, "EDITS", (edit(edits, "five", file="pkg/b.py"), edit(edits, anchor, until=until))
    )
    with pytest.raises(edits.EditError, match=message.replace("'", ".")):
        edits.apply(tree)
    assert (tree / "pkg" / "b.py").read_text() == "five\n"


def test_a_missing_file_is_named(edits, tree, monkeypatch):
    monkeypatch.setattr(edits, "EDITS", (edit(edits, "x", file="pkg/c.py"),))
    with pytest.raises(edits.EditError, match="name-of-edit: no file pkg/c.py"):
        edits.apply(tree)


def test_each_edit_has_a_name_a_reason_and_its_thread(edits):
    names = [entry.name for entry in edits.EDITS]
    assert len(set(names)) == len(names)
    for entry in edits.EDITS:
        assert entry.reason
        assert re.fullmatch(r"|[\w-]+/[\w-]+#\d+", entry.issue)


def test_the_readme_has_the_table(edits, folder):
    assert edits.table() in (folder / "README.md").read_text(encoding="utf-8")


def test_every_edit_has_a_test(edits):
    files = Path(__file__).parent.glob("test_*_edits.py")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    tests = re.findall(r"^(?:def )?(test_\w+)(?:\(| = )", text, re.MULTILINE)
    assert {f"test_{edit.name.replace('-', '_')}" for edit in edits.EDITS} <= set(tests)
