"""What the stages of scripts/gpu_check.sh share: the command line, and results that outlive a cut.

A stage writes ``<stage>-<card>-<date>.md``, for people, and ``.json``, for programs. Both are
written anew after every finding, so that a stage that is stopped leaves what it found.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Sequence

import torch


def parser_of(description: str) -> argparse.ArgumentParser:
    """The command line that every stage has; a stage may add flags of its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="the folder of the results")
    parser.add_argument(
        "--toy", action="store_true", help="toy sizes, which a CPU manages too: a rehearsal"
    )
    return parser


def device_of(args: argparse.Namespace) -> torch.device:
    """The GPU, or in a rehearsal without one the CPU; otherwise the program ends in one line."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if args.toy:
        return torch.device("cpu")
    print(
        f"{Path(sys.argv[0]).name}: error: torch {torch.__version__} finds no CUDA GPU; "
        "--toy rehearses on the CPU",
        file=sys.stderr,
    )
    sys.exit(2)


def card_name(device: torch.device) -> str:
    """``NVIDIA H100 80GB HBM3`` or ``CPU``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def file_name(stage: str, card: str) -> str:
    """``speed-h100-80gb-hbm3-2026-11-27``: letters, digits and hyphens alone."""
    card = re.sub("[^a-z0-9]+", "-", card.lower().replace("nvidia", "")).strip("-")
    return f"{stage}-{card}-{datetime.date.today().isoformat()}"


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def newest_file(out: Path, stage: str, suffix: str) -> Path | None:
    """The newest that a stage left in a folder, or None."""
    found = sorted(out.glob(f"{stage}-*{suffix}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def newest(out: Path, stage: str) -> dict[str, Any] | None:
    """The content of the newest JSON that a stage left in a folder, or None."""
    path = newest_file(out, stage, ".json")
    return json.loads(path.read_text(encoding="utf-8")) if path else None


def cell(value: Any) -> str:
    """A number with as many digits as mean something; a missing one as a hyphen."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if type(value) is int else str(value)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with named columns as a Markdown table; a row may lack a column."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class StageResult:
    """The findings of one stage so far.

    Args:
        out: the folder of the results.
        stage: its name, which begins the files' names.
        title: the heading of the Markdown file.
        device: whose name the files bear.
        settings: said in both files: what the numbers depend on.
        json_too: write the JSON as well.
    """

    def __init__(
        self,
        out: Path,
        stage: str,
        title: str,
        device: torch.device,
        settings: dict[str, Any] | None = None,
        json_too: bool = True,
    ):
        self.title = title
        self.json_too = json_too
        self.card = card_name(device)
        self.path = out / file_name(stage, self.card)
        self.content: dict[str, Any] = {
            "stage": stage,
            "card": self.card,
            "date": datetime.date.today().isoformat(),
            "torch": torch.__version__,
            "settings": settings or {},
            "complete": False,
            "failures": [],
            "values": {},
            "sections": {},
        }
        self.notes: dict[str, str] = {}
        self.write()

    def add(self, heading: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
        """A table under a heading, with a note below it; called again, in place of the old one."""
        self.content["sections"][heading] = list(rows)
        self.notes[heading] = note
        self.write()

    def put(self, **values: Any) -> None:
        """Single values, in the JSON alone, where another stage finds them under ``values``."""
        self.content["values"].update(values)
        self.write()

    def fail(self, what: str) -> None:
        """What is wrong: the stage goes on, and its exit status says it at the end."""
        print(f"{self.content['stage']}: failed: {what}", file=sys.stderr, flush=True)
        self.content["failures"].append(what)
        self.write()

    def end(self) -> int:
        """Marks the result complete; the exit status of the stage."""
        self.content["complete"] = True
        self.write()
        print(self.markdown(), flush=True)
        return 1 if self.content["failures"] else 0

    def write(self) -> None:
        """Both files, whole or not at all."""
        write_whole(self.path.with_name(self.path.name + ".md"), self.markdown())
        if not self.json_too:
            return
        text = json.dumps(self.content, indent=1, default=str)
        write_whole(self.path.with_name(self.path.name + ".json"), text + "\n")

    def markdown(self) -> str:
        """What the Markdown file holds."""
        content = self.content
        settings = [f"{name} {cell(value)}" for name, value in content["settings"].items()]
        lines = [f"# {self.title}", ""]
        lines += ["; ".join([self.card, f"torch {content['torch']}", *settings]) + ".", ""]
        if not content["complete"]:
            lines += ["**Not complete: the stage is running or was stopped.**", ""]
        lines += [f"**Failed: {failure}**\n" for failure in content["failures"]]
        for heading, rows in content["sections"].items():
            lines += [f"## {heading}", "", table(rows) if rows else "Nothing.", ""]
            lines += [self.notes[heading], ""] if self.notes[heading] else []
        return "\n".join(lines).rstrip() + "\n"
