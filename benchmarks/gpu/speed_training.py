"""Training steps: time and its parts, tokens per second, share of the matrix rate, and memory."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from speed_run import TOY_SHAPE, Ratio, Run
from step_parts import PARTS, parts_of_steps
from stopwatch import Limit, at_most, in_turns, synchronize
from trainee import Trainee
from training_work import (
    AMBER,
    KINDS,
    MLM,
    OT,
    STOCK,
    STOCK_MLM,
    STOCK_TLM,
    TLM,
    Candidate,
    Work,
    dictionary_of,
    write_corpus,
)
from waiting_for_data import waiting

from fairseq_amber.models.shapes import SHAPES

RATIOS = (
    Ratio(STOCK_MLM, MLM, "at least 1.3"),
    Ratio(STOCK_TLM, TLM),
    Ratio(AMBER, STOCK_TLM, "at most 2.6"),
    Ratio(AMBER, TLM, "at most 2.6"),
    Ratio(OT, STOCK_MLM),
)
STEPS = (*KINDS, *STOCK)


class Setting(NamedTuple):
    """What is trained.

    Attributes:
        name: the name of the setting.
        vocabulary: number of symbols of the dictionary.
        precision: ``bf16`` or ``fp32``.
        max_tokens: tokens in a micro-batch of TLM.
        pairs: number of pairs of the corpus.
        batches: number of micro-batches that take turns.
        workers: number of processes that make batches.
        shape: the shape of the encoder.
    """

    name: str
    vocabulary: int
    precision: str
    max_tokens: int
    pairs: int = 30_000
    batches: int = 4
    workers: int = 4
    shape: dict[str, Any] = SHAPES["amber_base"]

    def __str__(self) -> str:
        return f"{self.name}, {self.vocabulary:,} symbols, {self.precision}"


XLMR = Setting("XLM-R base's shape", 250_002, "bf16", 16384)
OWN = Setting("amber_base", 32_002, "bf16", 16384)  # 32,000 pieces are prepare's default
TOY = Setting("toy", 300, "bf16", 256, pairs=200, batches=1, workers=1, shape=TOY_SHAPE)


def settings_of(toy: bool) -> list[Setting]:
    """The settings to measure, the most important first."""
    if toy:
        return [TOY]
    return [XLMR, OWN, XLMR._replace(precision="fp32", max_tokens=8192, batches=2)]


def measure(run: Run, seconds: float, setting: Setting) -> None:
    """Measures one setting, within about this time."""
    limit = Limit(seconds)
    dictionary = dictionary_of(setting.vocabulary)
    shape = dict(setting.shape, dropout=0.1, attention_dropout=0.1)
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder), setting.pairs, dictionary)
        work = Work(
            Path(folder), dictionary, shape, setting.max_tokens, setting.batches, run.device
        )
        rows: dict[str, dict[str, Any]] = {kind: {"step": kind} for kind in STEPS}
        ready = _all_warm(run, setting, work, rows)
        _steps(run, setting, ready, rows, 0.6 * limit.left())
        _parts(run, setting, ready)
        if AMBER in ready:
            run.attempt(f"waiting for data, {setting}", _waiting, run, setting, work, ready, limit)


def _all_warm(
    run: Run, setting: Setting, work: Work, rows: dict[str, dict[str, Any]]
) -> dict[str, Candidate]:
    """All steps that can run, each after two runs; writes their peaks of memory into the rows."""
    ready: dict[str, Candidate] = {}
    for name, build, kinds in (("ours", work.ours, KINDS), ("stock", work.stock, STOCK)):
        trainee = run.attempt(f"{name}, {setting}", build, setting.precision)
        for kind in kinds:
            what = f"{kind}, {setting}"
            made = trainee and run.attempt(what, _warm, run.device, work, kind, trainee)
            if made:
                ready[kind], rows[kind]["peak GiB"] = made
            else:
                rows[kind]["ms"] = run.why_missing(what if trainee else f"{name}, {setting}")
        run.result.add(f"Steps: {setting}", list(rows.values()))
    return ready


def _warm(
    device: torch.device, work: Work, kind: str, trainee: Trainee
) -> tuple[Candidate, float | None]:
    """Makes a step and runs it twice.

    Returns:
        The step, and the peak memory in GiB of training one such model, without what else is on the
        device; None on a CPU.
    """
    trainee.optimizer.zero_grad()
    before = _allocated(device)
    candidate = work.candidate(kind, trainee)
    own = _allocated(device) - before  # memory of its samples and of a frozen encoder
    candidate.run()  # allocates the optimiser's state and chooses kernels
    trainee.optimizer.zero_grad()
    start = _allocated(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    candidate.run()
    synchronize(device)
    if device.type != "cuda":
        return candidate, None
    passing = torch.cuda.max_memory_allocated(device) - start
    return candidate, (trainee.bytes() + own + passing) / 2**30


def _allocated(device: torch.device) -> int:
    """Bytes that are allocated on the GPU."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def _steps(
    run: Run,
    setting: Setting,
    ready: dict[str, Candidate],
    rows: dict[str, dict[str, Any]],
    seconds: float,
) -> None:
    """Times the steps in turns, and writes their table and their ratios."""
    names = {f"{kind}, {setting}": kind for kind in ready}
    timed = in_turns(
        {name: ready[kind].run for name, kind in names.items()}, seconds, run.device, run.attempt
    )
    times = {names[name]: taken for name, taken in timed.items()}
    for kind in [kind for kind in ready if kind not in times]:
        rows[kind]["ms"] = run.why_missing(f"{kind}, {setting}")
        del ready[kind]
    for kind, taken in times.items():
        candidate, middle = ready[kind], statistics.median(taken)
        rate = candidate.flops / middle
        peak = rows[kind].pop("peak GiB", None)
        rows[kind] = {
            "step": kind,
            "ms": 1000 * middle / len(candidate.samples),
            "text tokens a second": int(candidate.tokens / middle),
            "positions a second": int(candidate.positions / middle),
            "TFLOP/s": rate / 1e12,
            "% of the matrix rate": 100 * rate / run.matrix_rate if run.matrix_rate else None,
            "peak GiB": peak,
        }
    rounds = max(map(len, times.values()), default=0)
    note = (
        "A step is forward, backward, gradient norm and Adam, as fairseq-train makes it. "
        f"{setting.batches} micro-batches take turns, of the same pairs for every step: as many as "
        f"TLM has in {setting.max_tokens:,} tokens (--max-tokens). Lengths are those of news "
        "(real_lengths.py). MLM reads a pair's sentences apart, TLM a pair in one row, full AMBER "
        "(TLM, word and sentence alignment) in three, OT the sentences apart, and for its anchor "
        f"the targets once more. Median of {rounds} rounds. Text tokens count each "
        "subword once; positions are those of all rows, padding included. Operations are those of "
        "the matrix products that a step needs without padding (training_flops.py). The matrix "
        "rate is that of bf16. Memory: weights, the optimiser's state, and the most that a step "
        "adds."
    )
    run.result.add(f"Steps: {setting}", list(rows.values()), note)
    run.ratios(str(setting), times, RATIOS)


def _parts(run: Run, setting: Setting, ready: dict[str, Candidate]) -> None:
    """Writes the parts of the time of each step, in percent."""
    rows: list[dict[str, Any]] = []
    for kind, candidate in ready.items():
        what = f"parts of {kind}, {setting}"
        spent = run.attempt(what, parts_of_steps, candidate, run.device)
        if spent is None:
            rows.append({"step": kind, "ms": run.why_missing(what)})
            continue
        whole = sum(spent.values())
        row = {"step": kind, "ms": 1000 * whole / len(candidate.samples)}
        row.update({f"{part}, %": round(100 * spent.get(part, 0) / whole, 1) for part in PARTS})
        rows.append(row)
        run.result.add(
            f"Where the time goes: {setting}",
            rows,
            "Time between marks on the device in a run of its own. Losses: all that the criterion "
            "does outside encoder and head, the frozen encoder of OT's anchor included. Optimiser: "
            "gradient norm, Adam, and in bf16 the copies of weights and gradients.",
        )


def _waiting(
    run: Run, setting: Setting, work: Work, ready: dict[str, Candidate], limit: Limit
) -> bool:
    """Measures the cost of making batches beside training, for the most expensive batches."""
    seconds = max(0.1 if run.toy else 4.0, limit.left())
    with at_most(20 + 3 * seconds):  # forked processes may hang
        row = waiting(work, ready[AMBER], setting.workers, seconds)
    run.result.add(
        f"Waiting for data: {setting}",
        [{"step": AMBER, **row}],
        "Micro-batches of the task's own iterator. At hand: the same batches, on the device before "
        "the clock runs. Waiting is what the iterator adds.",
    )
    return True
