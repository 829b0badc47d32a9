"""``fairseq-amber report``: results and runs side by side, as a table, a JSON and pictures."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.comparison import Section, as_json, compare, markdown
from fairseq_amber.evaluation.results import Result, read_result
from fairseq_amber.evaluation.text_files import atomic_writer

SUMMARY = "one table of many results, with loss curves and pictures, as report.md and report.json"
EXAMPLE = (
    "fairseq-amber report results/*.json --output report --curves MLM=runs/mlm/tensorboard "
    "--curves AMBER=runs/amber/tensorboard"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "results",
        metavar="RESULT.json",
        nargs="+",
        type=Path,
        help="what evaluators have written with --json; systems come in this order, and several "
        "results of one system on one task become mean and standard deviation",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder for report.md, report.json and the pictures",
    )
    parser.add_argument(
        "--curves",
        metavar="NAME=DIR",
        action="append",
        default=[],
        help="draw the losses of a run, from its --tensorboard-logdir; may be repeated",
    )
    parser.add_argument(
        "--heatmap",
        metavar="CAPTION=PNG",
        action="append",
        default=[],
        help="show a picture that align --plot has drawn; may be repeated",
    )


def run(args: argparse.Namespace) -> None:
    """Prints the table and writes the folder."""
    results = [read_result(path) for path in args.results]
    systems = list(dict.fromkeys(result.system for result in results))
    sections = compare(results)
    runs = dict(_named(text, "--curves NAME=DIR") for text in args.curves)
    pictures = [_named(text, "--heatmap CAPTION=PNG") for text in args.heatmap]
    for _, path in pictures:
        if not path.is_file():
            raise UserError(f"--heatmap: {path} is missing")

    table = markdown(sections, systems)
    shown = _draw_curves(runs, args.output) + _copy_pictures(pictures, args.output)
    with atomic_writer(args.output / "report.json") as file:
        json.dump(_content(sections, results), file, ensure_ascii=False, indent=2)
        file.write("\n")
    with atomic_writer(args.output / "report.md") as file:
        file.write(_document(table, results, shown))
    print(table)
    print(f"\nwrote {args.output / 'report.md'}, report.json" + "".join(f", {n}" for _, n in shown))


def _named(text: str, form: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise UserError(f"'{text}' is not of the form {form}")
    return name, Path(path)


def _draw_curves(runs: dict[str, Path], output: Path) -> list[tuple[str, str]]:
    if not runs:
        return []
    from fairseq_amber.evaluation.loss_curves import plot_curves, read_curves

    curves = {name: read_curves(path) for name, path in runs.items()}
    plot_curves(curves, [output / "loss_curves.png", output / "loss_curves.svg"])
    return [("Losses in training (lines) and validation (dots)", "loss_curves.png")]


def _copy_pictures(pictures: list[tuple[str, Path]], output: Path) -> list[tuple[str, str]]:
    shown = []
    for number, (caption, path) in enumerate(pictures, 1):
        name = f"alignment_{number}{path.suffix}"
        try:
            output.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, output / name)
        except shutil.SameFileError:
            pass
        except OSError as error:
            raise UserError(f"cannot copy {path} to {output}: {error.strerror}") from None
        shown.append((caption, name))
    return shown


def _content(sections: list[Section], results: list[Result]) -> dict[str, Any]:
    settings = [{"system": r.system, "task": r.task, "n": r.n, "config": r.config} for r in results]
    return {"sections": as_json(sections), "results": settings}


def _document(table: str, results: list[Result], pictures: list[tuple[str, str]]) -> str:
    parts = ["# Report", table]
    for caption, name in pictures:
        parts.append(f"![{caption}]({name})\n\n{caption}.")
    parts.append("## How it was measured")
    parts.append("\n".join(_settings(result) for result in results))
    return "\n\n".join(parts) + "\n"


def _settings(result: Result) -> str:
    config = "; ".join(f"{key}: {value}" for key, value in result.config.items())
    task = result.task.replace("_", " ")
    return f"- **{result.system}**, {task} ({result.metric}, n = {result.n}): {config}"
