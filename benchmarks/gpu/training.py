"""Stage "training" of scripts/gpu_check.sh: the real fairseq-train in fp32, --fp16 and --bf16.

    python benchmarks/gpu/training.py --output OUT

AMBER, optimal transport and contrastive alignment are each trained for 60 updates on the demo
corpus. The losses of the precisions are compared, and a run that is resumed from the checkpoint of
update 30 is compared with the run that was not stopped.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import fairseq
import torch
from results import StageResult, device_of, parser_of
from training_runs import Run, Trained, difference, resumed_from, start_method

ROOT = Path(__file__).resolve().parents[2]
UPDATES = 60, 20  # updates of a run, and of a run with --toy
CRITERIONS = {
    "amber": "--criterion amber",
    # a smaller learning rate, as the states of an untrained encoder are far apart
    "ot_alignment": "--criterion ot_alignment --lr 2e-4",
    "contrastive_alignment": "--criterion contrastive_alignment --contrast-momentum 0.99"
    " --contrast-queue 256",
}
PRECISIONS = {"fp32": "", "fp16": "--fp16", "bf16": "--bf16"}
# How far the last loss of a precision may be from that of fp32, as a share of the first loss.
CLOSE = {"fp16": 0.05, "bf16": 0.1}
# How far the weight matrices of a resumed run may end from those of the other run (root mean
# square), as a share of their change since the checkpoint. On a CPU in fp32 it is 0. A GPU adds in
# varying order: for a toy model whose weights differ by a rounding error it is up to 3e-5. In half
# precision fairseq's checkpoints hold only rounded weights: for the toy model in bf16 it is 0.03 to
# 0.15; it is 0.47 to 0.7 if the data begins anew, and 2.5 to 3.4 if the optimiser does.
BESIDE = {"fp32": 0.05, "fp16": 0.35, "bf16": 0.35}
OVERFLOWS = 6  # among 60 updates; more are not explained by the warm-up of the loss scale


def main() -> int:
    """Trains, writes the results of each run when it ends, and returns the exit status."""
    parser = parser_of(__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, help="number of runs at once (default: by the cores)")
    parser.add_argument("--run-limit", type=int, default=120, help="limit of one run, in seconds")
    parser.add_argument("--start", help="start method of multiprocessing (default: by the device)")
    args = parser.parse_args()
    device = device_of(args)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for each run, as several run at once
    jobs = args.jobs or min(9, len(os.sched_getaffinity(0)))
    model = "amber_tiny of toy size" if args.toy else "amber_small"
    updates = UPDATES[args.toy]
    settings = {"fairseq": fairseq.__version__, "model": model, "updates": updates}
    settings["runs at once"] = jobs
    result = StageResult(args.output, "training", "Training in three precisions", device, settings)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        data = corpus(work, args)
        report = Report(result, device, stop=updates // 2)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = []
            for precision in PRECISIONS:
                for criterion in CRITERIONS:
                    reason = unavailable(criterion, precision, device, args.toy)
                    if reason:
                        report.skip(criterion, precision, reason)
                        continue
                    words = command(data, criterion, precision, args)
                    start = args.start or start_method(device)
                    run = Run(work, criterion, precision, words, start)
                    futures.append(pool.submit(train, run, report, args.run_limit))
            for future in concurrent.futures.as_completed(futures):
                future.result()
    return result.end()


def corpus(work: Path, args: argparse.Namespace) -> Path:
    """Makes and binarises the demo corpus."""
    sizes = ["--train-sentences", "400" if args.toy else "4000", "--valid-sentences", "20"]
    sizes += ["--test-sentences", "20", "--mono-sentences", "300" if args.toy else "3000"]
    vocabulary = ["--vocab-size", "400" if args.toy else "4000", "--workers", "2"]
    cli = [sys.executable, "-m", "fairseq_amber.cli"]
    for made in (
        [*cli, "demo-corpus", str(work / "raw"), *sizes],
        [*cli, "prepare", str(work / "raw"), str(work / "data"), *vocabulary],
    ):
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return work / "data"


def unavailable(criterion: str, precision: str, device: torch.device, toy: bool) -> str:
    """The reason why a precision is not available; empty if it is."""
    if precision == "fp16" and device.type == "cpu":
        return "fairseq's --fp16 needs a GPU"
    if precision == "bf16" and "+" not in fairseq.__version__:
        return "stock fairseq takes --bf16 for TPUs"
    if precision == "bf16" and toy and criterion != "amber":
        return "one criterion is enough for a rehearsal"
    return ""


def command(data: Path, criterion: str, precision: str, args: argparse.Namespace) -> list[str]:
    """The arguments of fairseq-train, without the folder to save to."""
    shape = "--arch amber_small --tokens-per-sample 128 --max-tokens 8000"
    if args.toy:
        shape = (
            "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16"
            " --encoder-ffn-embed-dim 32 --tokens-per-sample 64 --max-tokens 1000"
        )
    updates = UPDATES[args.toy]
    flags = (
        f"--task cross_lingual_alignment {shape} {PRECISIONS[precision]}"
        " --dropout 0 --attention-dropout 0"
        " --optimizer adam --weight-decay 0.01 --clip-norm 1 --lr 5e-4"
        f" --lr-scheduler polynomial_decay --warmup-updates 6 --total-num-update {updates}"
        f" --max-update {updates} --seed 1 --disable-validation --no-epoch-checkpoints"
        f" --save-interval-updates {updates // 2} --log-format json --num-workers 0"
        f" --log-interval {5 if args.toy else 10} {CRITERIONS[criterion]}"
    )
    words = [str(data), "--user-dir", str(ROOT / "fairseq_amber"), *flags.split()]
    words += ["--adam-betas", "(0.9, 0.98)"]
    return words if torch.cuda.is_available() else [*words, "--cpu"]


def train(run: Run, report: Report, limit: int) -> None:
    """Trains a run, and then trains it again from its half on."""
    straight = run.train(limit)
    report.trained(run, straight)
    if straight.error:
        return
    again = resumed_from(run, report.stop)
    rest = again.train(limit)
    report.resumed(
        run, straight, rest, difference(run, again, report.stop) if not rest.error else None
    )
    run.remove()
    again.remove()


class Report:
    """The tables of the runs so far, and their failures."""

    def __init__(self, result: StageResult, device: torch.device, stop: int):
        self.result = result
        self.stop = stop
        self.memory = "peak memory of the GPU, MiB" if device.type == "cuda" else "peak memory, MiB"
        self.beside = BESIDE if device.type == "cuda" else {**BESIDE, "fp32": 0.0}
        self.runs: dict[tuple[str, str], dict[str, Any]] = {}
        self.losses: dict[tuple[str, str], dict[int, float]] = {}
        self.again: dict[tuple[str, str], dict[str, Any]] = {}
        self.lock = threading.Lock()

    def skip(self, criterion: str, precision: str, reason: str) -> None:
        """Records a run that is not possible."""
        with self.lock:
            self.runs[criterion, precision] = {"result": f"skipped: {reason}"}
            self.write()

    def trained(self, run: Run, trained: Trained) -> None:
        """Records a run that has ended, with or without an error."""
        with self.lock:
            error = trained.error
            if not error and trained.overflows > OVERFLOWS:
                error = f"{trained.overflows} overflows of the gradient"
            self.runs[run.key] = {
                "result": error or "trained",
                "seconds": trained.seconds,
                self.memory: trained.peak_memory and trained.peak_memory / 2**20,
                "overflows": trained.overflows,
                "first loss": trained.first_loss,
                "last loss": trained.last_loss,
            }
            self.losses[run.key] = trained.losses
            if error:
                self.result.fail(f"{run.name}: {error}")
            self.compare(run.key[0])
            self.write()

    def compare(self, criterion: str) -> None:
        """Compares the last losses with that of fp32, as a share of the first loss."""
        exact = self.runs.get((criterion, "fp32"), {})
        for precision, close in CLOSE.items():
            row = self.runs.get((criterion, precision), {})
            if "last loss" not in row or "last loss" not in exact or "off fp32, %" in row:
                continue
            values = row["last loss"], exact["last loss"], exact["first loss"]
            if None in values:
                continue
            off = abs(values[0] - values[1]) / abs(values[2])
            row["off fp32, %"] = 100 * off
            if off > close:
                self.result.fail(
                    f"{criterion} {precision}: its last loss is {100 * off:.1f} % of the first "
                    f"off that of fp32, more than {100 * close:.0f} %"
                )

    def resumed(
        self, run: Run, straight: Trained, rest: Trained, apart: dict[str, float] | None
    ) -> None:
        """Records a resumed run, compared with the run that was not stopped."""
        with self.lock:
            row: dict[str, Any] = {"result": rest.error or "resumed"}
            if rest.error:
                self.result.fail(f"{run.name}, resumed: {rest.error}")
            if apart is not None:
                updates = sorted(set(straight.losses) & set(rest.losses))
                pairs = [(straight.losses[n], rest.losses[n]) for n in updates]
                row["largest difference of a loss"] = max(
                    (abs(a - b) for a, b in pairs), default=None
                )
                row["largest difference of a weight"] = apart["largest"]
                row["share of the way"] = apart["share"]
                equal = apart["largest"] == 0
                row["result"] = "equal to the bit" if equal else "close"
                beside = self.beside[run.key[1]]
                if apart["share"] > beside:
                    row["result"] = "NOT EQUAL"
                    self.result.fail(
                        f"{run.name}, resumed: ends {apart['share']:.3g} of the way beside the run "
                        f"that was not stopped, more than {beside}"
                    )
            self.again[run.key] = row
            self.write()

    def write(self) -> None:
        """Writes all tables as they are so far."""

        def rows(found: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
            """The rows in the order of criterions and precisions."""
            keys = [(c, p) for c in CRITERIONS for p in PRECISIONS if (c, p) in found]
            return [{"criterion": c, "precision": p, **found[c, p]} for c, p in keys]

        self.result.add(
            "Runs",
            rows(self.runs),
            "Losses are means over the updates since the one logged before. Off fp32: the last "
            "loss, in % of fp32's first; at most "
            + ", ".join(f"{100 * close:.0f} in {precision}" for precision, close in CLOSE.items())
            + ".",
        )
        side_by_side = []
        for criterion in CRITERIONS:
            for update in sorted(
                {u for (c, _), at in self.losses.items() if c == criterion for u in at}
            ):
                row: dict[str, Any] = {"criterion": criterion, "update": update}
                for precision in PRECISIONS:
                    row[precision] = self.losses.get((criterion, precision), {}).get(update)
                side_by_side.append(row)
        self.result.add("Losses", side_by_side)
        self.result.add(
            f"Resumed at update {self.stop}",
            rows(self.again),
            "Share of the way: root mean square of the matrices' difference at the end, over that "
            f"of their change since update {self.stop}; at most "
            + ", ".join(f"{share:g} in {precision}" for precision, share in self.beside.items())
            + ". A CPU is equal to the bit in fp32; a GPU adds up in changing order. In half "
            "precision fairseq's checkpoints hold the rounded weights alone.",
        )


if __name__ == "__main__":
    sys.exit(main())
