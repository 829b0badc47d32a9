"""One run of fairseq-train in a process of its own, and its results."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import measured_train
import torch

# the path on which the process from which others are forked finds measured_train
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
)


def start_method(device: torch.device) -> str:
    """The start method of processes.

    On a CPU they are forked from a process that has already imported fairseq, which takes seconds.
    With a GPU each is started anew: fairseq counts the GPUs when it is imported, and if that asks
    the driver, a process that is forked later cannot use them.
    """
    return "spawn" if device.type == "cuda" else "forkserver"


class Trained(NamedTuple):
    """The result of a run.

    Attributes:
        losses: by logged update, the mean loss since the update logged before.
        error: why the run failed; empty if it did not.
        overflows: number of updates that were skipped.
        seconds: its time; None if it failed.
        peak_memory: its peak memory in bytes; None if it failed.
    """

    losses: dict[int, float]
    error: str
    overflows: int
    seconds: float | None
    peak_memory: int | None

    @property
    def first_loss(self) -> float | None:
        """The first loss that was logged."""
        return self.losses[min(self.losses)] if self.losses else None

    @property
    def last_loss(self) -> float | None:
        """The last loss that was logged."""
        return self.losses[max(self.losses)] if self.losses else None


class Run:
    """A run and its folder.

    Args:
        work: the folder in which its folder is made.
        criterion: the criterion.
        precision: the precision.
        command: the arguments of fairseq-train, without the folder to save to.
        start: the start method of its process.
        resumed: whether it continues another run.
    """

    def __init__(
        self,
        work: Path,
        criterion: str,
        precision: str,
        command: list[str],
        start: str,
        resumed: bool = False,
    ):
        self.key = criterion, precision
        self.name = f"{criterion} {precision}"
        self.work = work
        self.command = command
        self.start = start
        self.folder = work / f"{criterion}-{precision}{'-resumed' if resumed else ''}"

    def train(self, limit: int) -> Trained:
        """Runs fairseq-train, for at most ``limit`` seconds."""
        self.folder.mkdir(exist_ok=True)
        log, measured = self.folder / "log", self.folder / "measured.json"
        arguments = [*self.command, "--save-dir", str(self.folder)]
        context: Any = multiprocessing.get_context(self.start)
        if self.start == "forkserver":
            # every optimizer of torch imports its compiler
            context.set_forkserver_preload([measured_train.__name__, "torch._dynamo"])
        process = context.Process(
            target=measured_train.run, args=(str(log), str(measured), arguments)
        )
        process.start()
        process.join(limit)
        error = f"ended with {process.exitcode}" if process.exitcode else ""
        if process.is_alive():
            error = f"took longer than {limit} s"
            process.kill()
            process.join()
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        losses = logged_losses(text)
        if error:
            error += f": {text.strip().splitlines()[-1][:200]}" if text.strip() else ""
        elif not losses or not all(map(math.isfinite, losses.values())):
            error = f"losses are no numbers: {losses}"
        values = json.loads(measured.read_text()) if measured.exists() else {}
        overflows = len(re.findall("overflow detected", text))
        return Trained(losses, error, overflows, values.get("seconds"), values.get("peak_memory"))

    def checkpoint(self, update: int | None = None) -> Path:
        """The checkpoint of an update, or the last one."""
        if update is None:
            return self.folder / "checkpoint_last.pt"
        (path,) = self.folder.glob(f"checkpoint_*_{update}.pt")
        return path

    def weights(self, update: int | None = None) -> dict[str, torch.Tensor]:
        """The weights of the model in a checkpoint, in float64; shared weights only once."""
        state = torch.load(self.checkpoint(update), map_location="cpu", weights_only=False)["model"]
        own = {tensor.data_ptr(): name for name, tensor in state.items()}
        return {name: state[name].double() for name in own.values()}

    def remove(self) -> None:
        """Removes the checkpoints, which are large."""
        shutil.rmtree(self.folder)


def resumed_from(run: Run, update: int) -> Run:
    """A run of the same command, whose folder holds the checkpoint of that update as its last."""
    again = Run(run.work, *run.key, run.command, run.start, resumed=True)
    again.folder.mkdir()
    shutil.copy(run.checkpoint(update), again.checkpoint())
    return again


def logged_losses(log: str) -> dict[int, float]:
    """The losses that fairseq logged as JSON, by update."""
    losses = {}
    for line in re.findall(r"train_inner \| (\{.*\})", log):
        values = json.loads(line)
        losses[int(values["num_updates"])] = float(values["loss"])
    return losses


def difference(straight: Run, resumed: Run, since: int) -> dict[str, float]:
    """Compares the weights at the end of two runs.

    Returns:
        ``largest``: the largest difference of a weight. ``share``: for the matrices, the root mean
        square of the difference, divided by that of the first run's change since an update. It
        leaves out the weights of layer norms, which are near 1 and change by less than half
        precision can represent.
    """
    ends, others, before = straight.weights(), resumed.weights(), straight.weights(since)
    largest = max(float((ends[name] - others[name]).abs().max()) for name in ends)
    matrices = [name for name, weight in ends.items() if weight.dim() > 1]
    off, way = (
        torch.cat([(ends[name] - some[name]).flatten() for name in matrices]).norm()
        for some in (others, before)
    )
    return {"largest": largest, "share": float(off / way)}
