"""Writes what the documentation site is built from: the pages of docs/ and the reference.

    python docs/site/pages.py OUT        then mkdocs build, with AMBER_PAGES=OUT

OUT is made anew. It gets a copy of every page and picture of docs/, and in ``reference/`` the pages
that nobody writes by hand: ``commands.md`` has every flag of ``fairseq-amber``, ``training.md``
every flag that the plugin adds to ``fairseq-train``, ``python/`` a page for each room of the
package, which mkdocstrings fills with the docstrings. fairseq must be installed, because the flags
are read from the parsers themselves.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "fairseq_amber"

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def copy_pages(out: Path) -> None:
    """Copies docs/, and makes each page what MkDocs can read."""
    shutil.copytree(DOCS, out, ignore=shutil.ignore_patterns("site"))
    for page in sorted(out.rglob("*.md")):
        original = DOCS / page.relative_to(out)
        text = original.read_text(encoding="utf-8")
        page.write_text(for_mkdocs(text, original), encoding="utf-8")


def for_mkdocs(text: str, page: Path) -> str:
    """The text of a page, with two differences between GitHub's Markdown and MkDocs' removed.

    A link to a file outside docs/ becomes its text and the file's path in the repository, because
    the site does not contain the file. A pipe inside a code span of a table row loses its
    backslash, which MkDocs would show.

    Args:
        text: Markdown as GitHub shows it.
        page: the file that the text is from; its links are relative to it.

    Returns:
        The Markdown for MkDocs.
    """

    def replaced(match: re.Match[str]) -> str:
        label, target = match[1], match[2]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = (page.parent / target).resolve()
        if DOCS in path.parents:
            return match[0]
        name = path.relative_to(ROOT).as_posix()
        return f"`{name}`" if label.strip("`") == name else f"{label} (`{name}`)"

    lines = []
    for line in LINK.sub(replaced, text).split("\n"):
        if line.startswith("|"):
            line = re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), line)
        lines.append(line)
    return "\n".join(lines)


def module_names(folder: Path) -> list[str]:
    """The importable names of a room's modules, the room itself first, subfolders last."""
    paths = sorted(folder.rglob("*.py"), key=lambda path: (path.parent, path.name))
    names = []
    for path in paths:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        names.append(".".join(parts))
    return names


def first_sentence(source: Path) -> str:
    """The first paragraph of a module's docstring, on one line; empty without a docstring."""
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def write_python_pages(out: Path) -> None:
    """Writes a page for each room, and ``index.md`` with the rooms and the modules beside them."""
    out.mkdir(parents=True)
    rooms = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    index = ["# The Python package", ""]
    index += [
        "`fairseq_amber.load(checkpoint)` returns an `Encoder` ([inference](inference.md)). The "
        "names that `fairseq-train` and the commands use are in the rooms.",
        "",
        "| room | what it holds |",
        "|---|---|",
    ]
    for room in rooms:
        says = first_sentence(room / "__init__.py")
        index.append(f"| [`{room.name}`]({room.name}.md) | {says.replace('|', chr(92) + '|')} |")
        page = [f"# `fairseq_amber.{room.name}`", ""]
        page += [f"::: {name}\n" for name in module_names(room)]
        (out / f"{room.name}.md").write_text("\n".join(page), encoding="utf-8")
    index += ["", "The other modules:", ""]
    index += [f"::: fairseq_amber.{path.stem}\n" for path in sorted(PACKAGE.glob("[a-z]*.py"))]
    (out / "index.md").write_text("\n".join(index), encoding="utf-8")


def main() -> None:
    """Writes all pages into the folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/site/pages.py OUT")
    sys.path.insert(0, str(Path(__file__).parent))
    import flags

    out = Path(sys.argv[1]).resolve()
    if out in (ROOT, *ROOT.parents) or DOCS == out or DOCS in out.parents:
        sys.exit(f"{out} is no place for generated pages: choose a folder outside docs/")
    if out.exists() and not (out / "reference").is_dir() and any(out.iterdir()):
        sys.exit(f"{out} holds other files: choose an empty or a new folder")
    shutil.rmtree(out, ignore_errors=True)
    copy_pages(out)
    write_python_pages(out / "reference" / "python")
    (out / "reference" / "commands.md").write_text(flags.commands_page(), encoding="utf-8")
    (out / "reference" / "training.md").write_text(flags.training_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
