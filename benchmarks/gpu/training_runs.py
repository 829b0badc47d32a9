"""One run of fairseq-train in a process of its own, and what it leaves."""

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

# where a process that others are forked from looks for measured_train
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
)


def start_method(device: torch.device) -> str:
    """On a CPU processes are forked from one that has imported fairseq, which takes seconds. With a
    GPU each is new: fairseq counts the GPUs when it is imported, and where that asks the driver, no
    process that is forked later can use them."""
    return "spawn" if device.type == "cuda" else "forkserver"


class Trained(NamedTuple):
    """losses: means up to each logged update. error: why it failed, or nothing. overflows: updates
    that were given up. seconds and peak_memory (bytes): None if it did not end well."""

    losses: dict[int, float]
    error: str
    overflows: int
    seconds: float | None
    peak_memory: int | None

    @property
    def first_loss(self) -> float | None:
        """The first that was logged."""
        return self.losses[min(self.losses)] if self.losses else None

    @property
    def last_loss(self) -> float | None:
        """The last that was logged."""
        return self.losses[max(self.losses)] if self.losses else None


class Run:
    """A run and its folder.

    Args:
        work: where its folder and log are made.
        criterion, precision: what it is.
        command: fairseq-train's arguments but for where it saves.
        start: the process's start method, of multiprocessing.
        resumed: whether it goes on from another.
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
        """Runs it, for so many seconds at most."""
        self.folder.mkdir(exist_ok=True)
        log, measured = self.folder / "log", self.folder / "measured.json"
        arguments = [*self.command, "--save-dir", str(self.folder)]
        context: Any = multiprocessing.get_context(self.start)
        if self.start == "forkserver":
            context.set_forkserver_preload([measured_train.__name__])
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
        """That of an update, or the last."""
        if update is None:
            return self.folder / "checkpoint_last.pt"
        (path,) = self.folder.glob(f"checkpoint_*_{update}.pt")
        return path

    def weights(self, update: int | None = None) -> dict[str, torch.Tensor]:
        """Of the model, from a checkpoint, in fp64; each counted once."""
        state = torch.load(self.checkpoint(update), map_location="cpu", weights_only=False)["model"]
        own = {tensor.data_ptr(): name for name, tensor in state.items()}
        return {name: state[name].double() for name in own.values()}

    def remove(self) -> None:
        """The checkpoints, which are large."""
        shutil.rmtree(self.folder)


def resumed_from(run: Run, update: int) -> Run:
    """The same command, in a folder that holds the checkpoint of that update as its last."""
    again = Run(run.work, *run.key, run.command, run.start, resumed=True)
    again.folder.mkdir()
    shutil.copy(run.checkpoint(update), again.checkpoint())
    return again


def logged_losses(log: str) -> dict[int, float]:
    """What fairseq logged as JSON at its updates."""
    losses = {}
    for line in re.findall(r"train_inner \| (\{.*\})", log):
        values = json.loads(line)
        losses[int(values["num_updates"])] = float(values["loss"])
    return losses


def difference(straight: Run, resumed: Run, since: int) -> dict[str, float]:
    """``largest`` of a weight between the ends of two runs; ``share``, of the matrices: the root
    mean square of the difference over that of the first run's change since an update. The weights
    of layer norms, near 1, move by less than half precision rounds them."""
    ends, others, before = straight.weights(), resumed.weights(), straight.weights(since)
    largest = max(float((ends[name] - others[name]).abs().max()) for name in ends)
    matrices = [name for name, weight in ends.items() if weight.dim() > 1]
    off, way = (
        torch.cat([(ends[name] - some[name]).flatten() for name in matrices]).norm()
        for some in (others, before)
    )
    return {"largest": largest, "share": float(off / way)}
