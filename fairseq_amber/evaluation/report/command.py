"""``fairseq-amber report``: results and runs side by side, as tables, a JSON and pictures."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.score_tables import (
    Section,
    as_csv,
    as_json,
    compare,
    markdown,
    with_baselines,
)
from fairseq_amber.evaluation.report.space_flags import add_space_arguments, sentence_planes
from fairseq_amber.files.json_file import write_json
from fairseq_amber.files.pictures import both_formats
from fairseq_amber.files.results import Result, read_result
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.progress import heartbeat

SUMMARY = "one table of many results, with significance tests and pictures: report.md, .csv, .json"
EXAMPLE = (
    "fairseq-amber report results/*.json --output report --compare AMBER MLM --curves "
    "MLM=runs/mlm/tensorboard --curves AMBER=runs/amber/tensorboard"
)


class Picture(NamedTuple):
    """A picture of the report, by the name of its file."""

    caption: str
    name: str


class Heatmap(NamedTuple):
    """A picture that is there already: its files, by their suffix, the one to show first."""

    caption: str
    files: dict[str, bytes]


class Drawing(NamedTuple):
    """A picture to be drawn, into files given to `draw`."""

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
        help="what evaluators have written with --json; systems come in this order, several "
        "results of one system on one task become mean and standard deviation, and scores by "
        "layer (retrieve --layers) become a picture",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder for report.md, report.csv, report.json and the pictures, as PNG and SVG",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        action="append",
        default=[],
        help="test whether two systems differ on the same test items, which the files "
        "RESULT.items.npz beside the results hold; may be repeated",
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
        help="show a picture that align --plot has drawn, a PNG or SVG; its sibling of the other "
        "format is copied with it; may be repeated",
    )
    add_space_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Prints the tables and writes the folder."""
    if not (args.results or args.curves or args.heatmap or args.space):
        raise UserError("nothing to report: give RESULT.json, --curves, --heatmap or --space")
    results = [read_result(path) for path in args.results]
    shown = with_baselines(results)
    sections = compare(shown)
    runs = dict(_named(text, "--curves NAME=DIR") for text in args.curves)
    checkpoints = dict(_named(text, "--space NAME=CHECKPOINT") for text in args.space)
    heatmaps = [_heatmap(text) for text in args.heatmap]

    tables = [markdown(sections, list(dict.fromkeys(r.system for r in shown)))] * bool(results)
    comparisons = _comparisons(args, results, tables)
    drawings = [  # all is read before anything is written
        *_curves(runs),
        *_layers(results),
        *_spaces(args, checkpoints),
    ]
    pictures = [_draw(drawing, args.output) for drawing in drawings]
    pictures += [_copy(heatmap, n, args.output) for n, heatmap in enumerate(heatmaps, 1)]
    content = {**_content(sections, results), "comparisons": comparisons}
    write_json(args.output / "report.json", content)
    with atomic_writer(args.output / "report.csv") as file:
        file.write(as_csv(sections))
    with atomic_writer(args.output / "report.md") as file:
        file.write(_document(tables, results, pictures))
    names = ["report.csv", "report.json", *(picture.name for picture in pictures)]
    print("\n\n".join([*tables, f"wrote {args.output / 'report.md'}, {', '.join(names)}"]))


def _named(text: str, form: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not name or not equals or not path:
        raise UserError(f"'{text}' is not of the form {form}")
    return name, Path(path)


def _heatmap(text: str) -> Heatmap:
    caption, path = _named(text, "--heatmap CAPTION=PNG")
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--heatmap: {path} is neither a .png nor an .svg; draw it as one of them")
    if not path.is_file():
        raise UserError(f"--heatmap: {path} is missing")
    try:
        files = {file.suffix: file.read_bytes() for file in both_formats(path) if file.is_file()}
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None
    return Heatmap(caption, files)


def _comparisons(
    args: argparse.Namespace, results: Sequence[Result], tables: list[str]
) -> list[dict[str, Any]]:
    """For the JSON; appends their tables."""
    from fairseq_amber.evaluation.report import significance_tables

    found = [
        significance_tables.compare_systems(first, second, list(zip(args.results, results)))
        for first, second in args.compare
    ]
    tables += map(significance_tables.markdown, found)
    if found:
        tables.append(significance_tables.NOTE)
    return [significance_tables.as_json(comparison) for comparison in found]


def _curves(runs: dict[str, Path]) -> list[Drawing]:
    if not runs:
        return []
    from fairseq_amber.evaluation.report.loss_curves import plot_curves, read_curves

    curves = {}
    for name, path in runs.items():
        with heartbeat(f"reading {path}"):
            curves[name] = read_curves(path)
    caption = "Losses in training (lines) and validation (dots)"
    return [Drawing(caption, "loss_curves", partial(plot_curves, curves))]


def _layers(results: Sequence[Result]) -> list[Drawing]:
    from fairseq_amber.evaluation.report.layer_curves import layer_curves, plot_layers

    drawings = []
    for task, metric in dict.fromkeys((result.task, result.metric) for result in results):
        curves = layer_curves([r for r in results if (r.task, r.metric) == (task, metric)])
        if curves:
            caption = f"{task.replace('_', ' ').capitalize()} by layer"
            draw = partial(plot_layers, curves, metric)
            drawings.append(Drawing(caption, f"{task}_by_layer", draw))
    return drawings


def _spaces(args: argparse.Namespace, checkpoints: dict[str, Path]) -> list[Drawing]:
    if not checkpoints:
        return []
    from fairseq_amber.evaluation.report.sentence_space import plot_space

    draw = partial(plot_space, sentence_planes(args, checkpoints))
    return [Drawing("Parallel sentences by language", "sentence_space", draw)]


def _draw(drawing: Drawing, output: Path) -> Picture:
    drawing.draw([output / f"{drawing.stem}.png", output / f"{drawing.stem}.svg"])
    return Picture(drawing.caption, f"{drawing.stem}.png")


def _copy(heatmap: Heatmap, number: int, output: Path) -> Picture:
    names = [f"alignment_{number}{suffix}" for suffix in heatmap.files]
    for name, content in zip(names, heatmap.files.values()):
        with atomic_writer(output / name, binary=True) as file:
            file.write(content)
    return Picture(heatmap.caption, names[0])


def _content(sections: list[Section], results: list[Result]) -> dict[str, Any]:
    settings = [{"system": r.system, "task": r.task, "n": r.n, "config": r.config} for r in results]
    return {"sections": as_json(sections), "results": settings}


def _document(tables: Sequence[str], results: Sequence[Result], pictures: Sequence[Picture]) -> str:
    parts = ["# Report", *tables]
    parts += [f"![{caption}]({name})\n\n{caption}." for caption, name in pictures]
    if results:
        parts += ["## How it was measured", "\n".join(_settings(result) for result in results)]
    return "\n\n".join(parts) + "\n"


def _settings(result: Result) -> str:
    config = "; ".join(f"{key}: {value}" for key, value in result.config.items())
    task = result.task.replace("_", " ")
    return f"- **{result.system}**, {task} ({result.metric}, n = {result.n}): {config}"
