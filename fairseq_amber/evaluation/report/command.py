"""``fairseq-amber report``: compares results and runs in tables, a JSON and pictures."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report import score_tables
from fairseq_amber.evaluation.report.same_test_data import check_different
from fairseq_amber.evaluation.report.score_tables import Section
from fairseq_amber.evaluation.report.space_flags import (
    add_space_arguments,
    check_used,
    sentence_planes,
)
from fairseq_amber.files.json_file import read_bytes, write_json
from fairseq_amber.files.pictures import both_formats
from fairseq_amber.files.results import Result, read_result
from fairseq_amber.files.tables import markdown_text
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.progress import heartbeat

SUMMARY = "one table of many results, with significance tests and pictures: report.md, .csv, .json"
EXAMPLE = (
    "fairseq-amber report results/*.json --output report --compare AMBER MLM --curves "
    "MLM=runs/mlm/tensorboard --curves AMBER=runs/amber/tensorboard"
)
WRITES = ("output",)


class Picture(NamedTuple):
    """A picture that the report shows.

    Attributes:
        caption: the caption.
        name: the name of its file.
    """

    caption: str
    name: str


class Heatmap(NamedTuple):
    """A picture that exists already and is copied into the report.

    Attributes:
        caption: the caption.
        files: the content of its files, by suffix; the report shows the first.
    """

    caption: str
    files: dict[str, bytes]


class Drawing(NamedTuple):
    """A picture that is still to be drawn.

    Attributes:
        caption: the caption.
        stem: the name of its files without the suffix.
        draw: draws the picture into the files that it is given.
    """

    caption: str
    stem: str
    draw: Callable[[Sequence[Path]], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "results",
        metavar="RESULT.json",
        nargs="*",
        type=Path,
        help="files that evaluators have written with --json. Systems are shown in this order; "
        "several results of one system on one task are shown as mean and standard deviation; "
        "scores by layer (retrieve --layers) are drawn as a picture",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder to write report.md, report.csv, report.json and the pictures (PNG and SVG) to",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        action="append",
        default=[],
        help="test whether systems A and B differ significantly on the same test items; reads the "
        "files RESULT.items.npz beside the results; may be repeated",
    )
    parser.add_argument(
        "--curves",
        metavar="NAME=DIR",
        action="append",
        default=[],
        help="draw the losses of a training run; DIR is its --tensorboard-logdir; may be repeated",
    )
    parser.add_argument(
        "--heatmap",
        metavar="CAPTION=PNG",
        action="append",
        default=[],
        help="show a picture (PNG or SVG) that align --plot has drawn; the same picture in the "
        "other format is copied too, if it lies beside it; may be repeated",
    )
    add_space_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Prints the tables, and writes the report and its pictures into the folder."""
    if not (args.results or args.curves or args.heatmap or args.space):
        raise UserError("nothing to report: give RESULT.json, --curves, --heatmap or --space")
    check_used(args)
    _check_once(args.results)
    results = [read_result(path) for path in args.results]
    check_different(args.results, results)
    shown = score_tables.with_baselines(results)
    sections = score_tables.build_sections(shown)
    runs = _by_name(args.curves, "--curves NAME=DIR")
    checkpoints = _by_name(args.space, "--space NAME=CHECKPOINT")
    heatmaps = [_heatmap(text) for text in args.heatmap]

    tables = []
    if results:
        systems = list(dict.fromkeys(result.system for result in shown))
        tables.append(score_tables.markdown(sections, systems))
    comparisons = _comparisons(args, results, tables)
    drawings = [  # all input is read before any file is written
        *_loss_drawings(runs),
        *_layer_drawings(results),
        *_space_drawings(args, checkpoints),
    ]
    pictures = [_draw(drawing, args.output) for drawing in drawings]
    pictures += [_copy(heatmap, n, args.output) for n, heatmap in enumerate(heatmaps, 1)]
    content = {**_content(sections, results), "comparisons": comparisons}
    write_json(args.output / "report.json", content)
    with atomic_writer(args.output / "report.csv") as file:
        file.write(score_tables.as_csv(sections))
    with atomic_writer(args.output / "report.md") as file:
        file.write(_document(tables, results, pictures))
    names = ["report.csv", "report.json", *(picture.name for picture in pictures)]
    print("\n\n".join([*tables, f"wrote {args.output / 'report.md'}, {', '.join(names)}"]))


def _check_once(results: Sequence[Path]) -> None:
    """Raises UserError if a file is given twice: its result would count as that of two seeds."""
    seen: dict[str, Path] = {}
    for path in results:
        before = seen.setdefault(os.path.realpath(path), path)
        if before is not path:
            raise UserError(f"{path} is given twice; give each result once")


def _by_name(texts: Sequence[str], form: str) -> dict[str, Path]:
    """Returns the paths of NAME=PATH by their names, each of which stands for one path."""
    named: dict[str, Path] = {}
    for text in texts:
        name, path = _named(text, form)
        if name in named:
            raise UserError(f"{form.split()[0]}: the name {name} is given twice; choose another")
        named[name] = path
    return named


def _named(text: str, form: str) -> tuple[str, Path]:
    """Splits NAME=PATH; ``form`` is the flag as the error shows it."""
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise UserError(f"'{text}' is not of the form {form}")
    return name, Path(path)


def _heatmap(text: str) -> Heatmap:
    """Reads the picture that CAPTION=PNG names."""
    caption, path = _named(text, "--heatmap CAPTION=PNG")
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--heatmap: {path} is neither a .png nor an .svg; draw it as one of them")
    if not path.is_file():
        raise UserError(f"--heatmap: {path} is missing")
    files = {file.suffix: read_bytes(file) for file in both_formats(path) if file.is_file()}
    return Heatmap(caption, files)


def _comparisons(
    args: argparse.Namespace, results: Sequence[Result], tables: list[str]
) -> list[dict[str, Any]]:
    """Compares the systems of every --compare.

    Args:
        args: the parsed flags.
        results: all results, in the order of ``args.results``.
        tables: the tables of the report, to which those of the comparisons are appended.

    Returns:
        The comparisons for report.json.
    """
    from fairseq_amber.evaluation.report import significance_tables

    found = [
        significance_tables.compare_systems(first, second, list(zip(args.results, results)))
        for first, second in args.compare
    ]
    tables += map(significance_tables.markdown, found)
    if found:
        tables.append(significance_tables.NOTE)
    return [significance_tables.as_json(comparison) for comparison in found]


def _loss_drawings(runs: dict[str, Path]) -> list[Drawing]:
    """Returns the picture of losses, if any run is given."""
    if not runs:
        return []
    from fairseq_amber.evaluation.report.loss_curves import plot_curves, read_curves

    curves = {}
    for name, path in runs.items():
        with heartbeat(f"reading {path}"):
            curves[name] = read_curves(path)
    caption = "Losses in training (lines) and validation (dots)"
    return [Drawing(caption, "loss_curves", partial(plot_curves, curves))]


def _layer_drawings(results: Sequence[Result]) -> list[Drawing]:
    """Returns a picture of scores by layer for each task whose results hold them."""
    from fairseq_amber.evaluation.report.layer_curves import layer_curves, plot_layers

    drawings = []
    for task, metric in dict.fromkeys((result.task, result.metric) for result in results):
        curves = layer_curves([r for r in results if (r.task, r.metric) == (task, metric)])
        if curves:
            caption = f"{task.replace('_', ' ').capitalize()} by layer"
            draw = partial(plot_layers, curves, metric)
            drawings.append(Drawing(caption, f"{task}_by_layer", draw))
    return drawings


def _space_drawings(args: argparse.Namespace, checkpoints: dict[str, Path]) -> list[Drawing]:
    """Returns the picture of sentence vectors, if any checkpoint is given."""
    if not checkpoints:
        return []
    from fairseq_amber.evaluation.report.sentence_space import plot_space

    draw = partial(plot_space, sentence_planes(args, checkpoints))
    return [Drawing("Parallel sentences by language", "sentence_space", draw)]


def _draw(drawing: Drawing, output: Path) -> Picture:
    """Draws a picture into the folder, in both formats."""
    drawing.draw([output / f"{drawing.stem}.png", output / f"{drawing.stem}.svg"])
    return Picture(drawing.caption, f"{drawing.stem}.png")


def _copy(heatmap: Heatmap, number: int, output: Path) -> Picture:
    """Writes a picture that exists already into the folder."""
    names = [f"alignment_{number}{suffix}" for suffix in heatmap.files]
    for name, content in zip(names, heatmap.files.values()):
        with atomic_writer(output / name, binary=True) as file:
            file.write(content)
    return Picture(heatmap.caption, names[0])


def _content(sections: list[Section], results: list[Result]) -> dict[str, Any]:
    """Returns the sections and settings for report.json."""
    settings = [{"system": r.system, "task": r.task, "n": r.n, "config": r.config} for r in results]
    return {"sections": score_tables.as_json(sections), "results": settings}


def _document(tables: Sequence[str], results: Sequence[Result], pictures: Sequence[Picture]) -> str:
    """Returns the text of report.md."""
    parts = ["# Report", *tables]
    for caption, name in pictures:
        shown = markdown_text(caption)
        parts.append(f"![{shown}]({name})\n\n{shown}.")
    if results:
        parts += ["## How it was measured", "\n".join(_settings(result) for result in results)]
    return "\n\n".join(parts) + "\n"


def _settings(result: Result) -> str:
    """Returns one line that says how a result was measured."""
    config = "; ".join(f"{key}: {value}" for key, value in result.config.items())
    task = result.task.replace("_", " ")
    measured = markdown_text(f", {task} ({result.metric}, n = {result.n}): {config}")
    return f"- **{markdown_text(result.system)}**{measured}"
