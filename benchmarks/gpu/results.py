"""What all stages of scripts/gpu_check.sh share: the command line, and the files of results.

A stage writes ``<stage>-<card>-<date>.md`` for people and ``.json`` for programs. Both are written
anew after every finding, so that a stage that is stopped leaves what it has found so far.
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
    """The command-line parser that every stage has; a stage may add flags."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="the folder of the results")
    parser.add_argument(
        "--toy", action="store_true", help="toy sizes, to try the stage, also on a CPU"
    )
    return parser


def device_of(args: argparse.Namespace) -> torch.device:
    """The GPU. Without one, the CPU if --toy is given; else the program ends with one line."""
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
    """The name of the card, such as ``NVIDIA H100 80GB HBM3``, or ``CPU``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def file_name(stage: str, card: str) -> str:
    """The stem of a result, such as ``speed-h100-80gb-hbm3-2026-11-27``."""
    card = re.sub("[^a-z0-9]+", "-", card.lower().replace("nvidia", "")).strip("-")
    return f"{stage}-{card}-{datetime.date.today().isoformat()}"


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def newest_file(out: Path, stage: str, suffix: str) -> Path | None:
    """The newest file that a stage has left in a folder; None if there is none."""
    found = sorted(out.glob(f"{stage}-*{suffix}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def newest(out: Path, stage: str) -> dict[str, Any] | None:
    """The content of the newest JSON that a stage has left in a folder; None if there is none."""
    path = newest_file(out, stage, ".json")
    return json.loads(path.read_text(encoding="utf-8")) if path else None


def cell(value: Any) -> str:
    """A value as text: a number with its significant digits, a missing value as a hyphen."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if type(value) is int else str(value)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of rows with named columns; a row may lack a column."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[cell(row.get(column)) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class StageResult:
    """The findings of one stage so far.

    Args:
        out: the folder of the results.
        stage: the name of the stage, with which the names of its files begin.
        title: the heading of the Markdown file.
        device: the device whose name is part of the files' names.
        settings: the settings that the numbers depend on, which both files state.
        json_too: whether to write the JSON too.
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
        """Puts a table and a note under a heading, in place of an older table there."""
        self.content["sections"][heading] = list(rows)
        self.notes[heading] = note
        self.write()

    def put(self, **values: Any) -> None:
        """Puts single values into ``values`` of the JSON, where another stage finds them."""
        self.content["values"].update(values)
        self.write()

    def fail(self, what: str) -> None:
        """Records a failure: the stage goes on, and its exit status reports it at the end."""
        print(f"{self.content['stage']}: failed: {what}", file=sys.stderr, flush=True)
        self.content["failures"].append(what)
        self.write()

    def end(self) -> int:
        """Marks the result as complete and returns the exit status of the stage."""
        self.content["complete"] = True
        self.write()
        print(self.markdown(), flush=True)
        return 1 if self.content["failures"] else 0

    def write(self) -> None:
        """Writes both files, each whole or not at all."""
        write_whole(self.path.with_name(self.path.name + ".md"), self.markdown())
        if not self.json_too:
            return
        text = json.dumps(self.content, indent=1, default=str)
        write_whole(self.path.with_name(self.path.name + ".json"), text + "\n")

    def markdown(self) -> str:
        """The content of the Markdown file."""
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
