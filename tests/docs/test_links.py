"""Every link of the pages leads to something, and every path of the repository that they name
exists."""

import re

import pytest

from doc_pages import PAGES, ROOT, anchors, links, name, text_of, without_fences

ROOMS = {path.parent.name for path in (ROOT / "fairseq_amber").glob("*/__init__.py")}
# Files of other repositories, which the pages call by their names there.
ELSEWHERE = {"scripts/download_data.sh", "scripts/train_*.sh"}
# What the commands of a page write.
WRITTEN = ("data-bin/", "runs/", "build/")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file_and_to_an_anchor_in_it(page):
    for path, anchor in links(text_of(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} does not exist"
        assert ROOT in target.parents, f"{path} leaves the repository"
        if anchor:
            assert anchor in anchors(text_of(target)), f"{path}#{anchor}: there is no such heading"


def paths_in(text):
    """The paths of this repository that a text names: from its root, or of a room of the package
    where the name is code."""
    tops = "|".join(("scripts", "docs", "tests", "benchmarks", "fairseq_amber", "third_party"))
    found = set(re.findall(rf"(?<![\w/.=-])((?:{tops})/[\w./*-]*)", text))
    for code in re.findall(r"`([\w./-]+)`", without_fences(text)):
        room, slash, rest = code.partition("/")
        if room in ROOMS and slash and (not rest or rest.endswith(".py")):
            found.add(f"fairseq_amber/{code}")
    return {path.rstrip(".") for path in found} - ELSEWHERE


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_path_that_a_page_names_exists(page):
    for path in sorted(paths_in(text_of(page))):
        there = any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()
        assert there, f"{path} does not exist"


def test_the_paths_are_found():
    """The two tests above would pass if they found nothing to check."""
    readme = text_of(ROOT / "README.md")
    assert ("docs/README.md", "citation") in links(readme)
    assert {"scripts/quickstart.sh", "docs/images/alignment.png"} <= paths_in(readme)
    contributing = paths_in(text_of(ROOT / "CONTRIBUTING.md"))
    assert {"fairseq_amber/objectives/", "fairseq_amber/criterions/terms.py"} <= contributing


def test_anchors_are_those_of_github():
    text = "# XTREME's tasks\n\n## `--criterion x`: a, b\n\n```\n# no heading\n```\n## a\n## a\n"
    assert anchors(text) == {"xtremes-tasks", "--criterion-x-a-b", "a", "a-1"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_use_names_that_exist(page):
    import ast
    import importlib

    for block in re.findall(r"^```python\n(.*?)^```$", text_of(page), flags=re.M | re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("fairseq_amber"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)
