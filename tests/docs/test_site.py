"""The documentation site is built without a warning, and needs no network to be read."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fairseq_amber.cli import COMMANDS
from forked_programs import forked_python

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(path.parent.name for path in (ROOT / "fairseq_amber").glob("*/__init__.py"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder that the site is built from."""
    out = tmp_path_factory.mktemp("docs") / "pages"
    command = [forked_python(), ROOT / "docs" / "site" / "pages.py", out]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def site(pages, tmp_path_factory):
    """The site, built as scripts/docs.sh does it: a warning is an error."""
    mkdocs = shutil.which("mkdocs")
    if mkdocs is None:
        pytest.skip("MkDocs is not installed: pip install '.[docs]', with Python 3.11.5 or newer")
    out = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", str(out)],
        env={**os.environ, "AMBER_PAGES": str(pages), "NO_MKDOCS_2_WARNING": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    warnings = re.findall(r"(?:WARNING|ERROR).*", done.stdout + done.stderr)
    assert done.returncode == 0 and not warnings, "\n".join(warnings) or done.stderr
    return out


class _Loaded(HTMLParser):
    """Collects what a browser loads by itself when it shows a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.addresses.append(attributes.get("src") or "")
        elif tag == "link" and attributes.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(attributes.get("href") or "")


def test_no_page_loads_anything_from_the_network(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        outside = [a for a in loaded.addresses if re.match(r"(?:[a-z]+:)?//", a)]
        assert not outside, f"{page.relative_to(site)}: {outside}"


def test_docstrings_of_every_room_are_on_the_site(site):
    for room in ROOMS:
        text = (site / "reference" / "python" / f"{room}.html").read_text(encoding="utf-8")
        assert f'id="fairseq_amber.{room}"' in text, room
    text = (site / "reference" / "python" / "objectives.html").read_text(encoding="utf-8")
    assert 'id="fairseq_amber.objectives.sentence_alignment.contrastive_loss"' in text


def test_every_command_and_flag_is_in_the_reference(pages):
    from fairseq_amber.cli import build_parser

    text = (pages / "reference" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^## fairseq-amber (.+)$", text, re.M) == list(COMMANDS)
    choices = build_parser(None)._subparsers._group_actions[0].choices
    sections = re.split(r"^## fairseq-amber ", text, flags=re.M)[1:]
    for section, (name, parser) in zip(sections, choices.items()):
        for flag in set(parser._option_string_actions) - {"-h", "--help"}:
            assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", section), f"{name} {flag}"


def test_every_flag_of_the_plugin_is_in_the_reference(pages):
    from fairseq_amber.models.shapes import SHAPES

    text = (pages / "reference" / "training.md").read_text(encoding="utf-8")
    criterions = ("amber", "contrastive_alignment", "ot_alignment", "l2_alignment")
    fine_tuning = ("xtreme_tagging", "xtreme_classification", "xtreme_qa")
    tasks = ("cross_lingual_alignment", *fine_tuning)
    for flag, names in (("task", tasks), ("criterion", (*criterions, *fine_tuning))):
        assert sorted(re.findall(rf"^## --{flag} (\w+)$", text, re.M)) == sorted(names)
    for name in SHAPES:
        assert f"| `{name}` |" in text
    row = next(line for line in text.split("\n") if line.startswith("| `--parallel-share"))
    assert "| `0.5` |" in row


def test_links_out_of_the_docs_become_names(pages):
    """The site has no such files; a link to them would be a broken one."""
    text = (pages / "training.md").read_text(encoding="utf-8")
    assert "(`third_party/fairseq/README.md`)" in text and "](../" not in text
