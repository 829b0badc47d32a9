"""Draws the losses of several training runs, from TensorBoard's event files: one panel per term."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.evaluation.report.panels import colour, legend, line, panels
from fairseq_amber.files.pictures import save_picture

_TITLES = {
    "loss": "total loss",
    "mlm_loss": "MLM, nats per token",
    "tlm_loss": "TLM, nats per token",
    "wa_loss": "WA, 1 − agreement",
    "sa_loss": "SA, nats per pair",
    "contrast_loss": "contrast, nats per pair",
    "ot_loss": "OT, cost of transport",
    "l2_loss": "L2 of linked words",
    "anchor_loss": "distance from the anchor",
    "retrieval": "retrieval, % of sentences",
}


class Curve(NamedTuple):
    """The values of one term.

    Attributes:
        updates: numbers of updates, in ascending order.
        values: the value after each of them.
    """

    updates: list[int]
    values: list[float]


class RunCurves(NamedTuple):
    """The curves of one run.

    Attributes:
        train: curve of each term in training.
        valid: curve of each term in validation.
    """

    train: dict[str, Curve]
    valid: dict[str, Curve]


def read_curves(logdir: str | Path) -> RunCurves:
    """Reads what ``fairseq-train --tensorboard-logdir`` has logged.

    The terms are ``loss``, ``retrieval`` and all ``*_loss`` other than ``best_*``. Training values
    were logged at every --log-interval (``train_inner``), or else after every epoch (``train``).

    Raises:
        UserError: TensorBoard is missing, or the folder holds no such events.
    """
    train = _read_terms(Path(logdir, "train_inner")) or _read_terms(Path(logdir, "train"))
    valid = _read_terms(Path(logdir, "valid"))
    if not train and not valid:
        raise UserError(
            f"{logdir} has no losses; give the folder that was fairseq-train's --tensorboard-logdir"
        )
    return RunCurves(train, valid)


def _read_terms(folder: Path) -> dict[str, Curve]:
    """Returns the curves in one folder of event files; none if there is no such folder."""
    if not folder.is_dir():
        return {}
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise UserError("TensorBoard is missing; pip install tensorboard") from None
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for term in filter(_is_shown, events.Tags()["scalars"]):
        # A resumed run logs some updates twice; the dictionary keeps the last value.
        points = {event.step: event.value for event in events.Scalars(term)}
        steps = sorted(points)
        curves[term] = Curve(steps, [points[step] for step in steps])
    return curves


def _is_shown(tag: str) -> bool:
    """Tells whether a tag of TensorBoard is a term to draw."""
    return tag in ("loss", "retrieval") or (tag.endswith("_loss") and not tag.startswith("best_"))


def plot_curves(runs: Mapping[str, RunCurves], paths: Sequence[str | Path]) -> None:
    """Draws every term that any run has, as a line in training and as dots in validation.

    Args:
        runs: the curves of each run, by its name.
        paths: the files to write; the suffix of each decides its format.

    Raises:
        UserError: matplotlib is missing, or a file cannot be written.
    """
    found = {term for run in runs.values() for part in run for term in part}
    terms = [t for t in _TITLES if t in found] + sorted(found.difference(_TITLES))
    with panels(len(terms), size=(3.4, 2.5)) as (figure, axes):
        from matplotlib.ticker import MaxNLocator

        for term, panel in zip(terms, axes):
            for number, run in enumerate(runs.values()):
                _draw(panel, run, term, colour(number))
            panel.set_title(_TITLES.get(term, one_line(term)), fontsize=10, loc="left")
            panel.grid(axis="y", color="#e6e6e6", linewidth=0.8)
            panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
            panel.set_xlim(left=0)
            panel.set_xlabel("updates")
        handles = [line(number, name) for number, name in enumerate(runs)]
        legend(figure, handles + [_dot()] * any(run.valid for run in runs.values()))
        for path in paths:
            save_picture(figure, path)


def _draw(panel: Any, run: RunCurves, term: str, hue: str) -> None:
    """Draws one term of one run into a panel."""
    if term in run.train:
        panel.plot(*run.train[term], color=hue, linewidth=1.5)
    if term in run.valid:
        panel.plot(
            *run.valid[term],
            color=hue,
            marker="o",
            markersize=4.5,
            markeredgecolor="white",
            linestyle="none",
        )


def _dot() -> Any:
    """Returns the dot of validation in the legend."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color="#666666", marker="o", linestyle="none", markersize=4.5, label="validation"
    )
