"""The package runs on Python 3.8, as an unedited fairseq does; linters overlook two faults."""

import ast
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).resolve().parents[1] / "fairseq_amber").rglob("*.py"))
BUILTINS = {"dict", "frozenset", "list", "set", "tuple", "type"}
# Methods and functions of the standard library that came later.
LATER = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "pairwise", "randbytes"}


def newer_than_3_8(tree):
    """The lines that Python 3.8 would refuse when it runs them: ``dict[str, int]`` outside of an
    annotation, and methods that it lacks."""
    postponed = any(isinstance(x, ast.ImportFrom) and x.module == "__future__" for x in tree.body)
    read = set()
    for node in ast.walk(tree) if postponed else ():
        for name in ("annotation", "returns"):
            annotation = getattr(node, name, None)
            read |= {id(part) for part in ast.walk(annotation)} if annotation else set()
    return [
        node.lineno
        for node in ast.walk(tree)
        if id(node) not in read
        and (
            (isinstance(node, ast.Attribute) and node.attr in LATER)
            or (isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in BUILTINS)
        )
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_file_needs_a_newer_python(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert newer_than_3_8(tree) == []


@pytest.mark.parametrize(
    "text, lines",
    [
        ("Encode = Callable[[dict[str, int]], int]", [1]),
        ("def f(x: list[int]): ...", [1]),
        ("from __future__ import annotations\ndef f(x: list[int]) -> dict[str, int]: ...", []),
        ("from __future__ import annotations\nx: list[int] = y.removeprefix('a')", [2]),
    ],
)
def test_what_python_3_8_refuses_is_found(text, lines):
    assert newer_than_3_8(ast.parse(text)) == lines
