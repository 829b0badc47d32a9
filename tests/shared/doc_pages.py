"""The pages of the documentation, and what the tests read out of them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What a reader of the repository sees, with the results.
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / name for name in ("data-bin/README.md", "third_party/fairseq/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))


def name(page: Path) -> str:
    """The path of a page in the repository, for messages."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """The text of a page."""
    return page.read_text(encoding="utf-8")


def without_fences(text: str) -> str:
    """The text without its fenced code blocks, in which nothing is a link or a heading."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def links(text: str) -> "list[tuple[str, str]]":
    """The relative links and pictures of a page: (path, anchor), each perhaps empty."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_fences(text))
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [(path, anchor) for path, _, anchor in (t.partition("#") for t in relative)]


def anchors(text: str) -> "set[str]":
    """The anchors that GitHub gives to the headings of a page."""
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", without_fences(text), flags=re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (anchor if not number else f"{anchor}-{number}") in found:
            number += 1
        found.add(anchor if not number else f"{anchor}-{number}")
    return found
