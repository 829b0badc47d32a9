"""What the measurements of speed share: where results go, and failures that end no run."""

from __future__ import annotations

import gc
from typing import Any, Callable, NamedTuple, Sequence

import torch
from results import StageResult
from stopwatch import quartiles

from fairseq_amber.models.shapes import SHAPES

RATIOS = "Ratios"
TOY_SHAPE = {
    **SHAPES["amber_tiny"],
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "max_positions": 512,
}


class Ratio(NamedTuple):
    """What is compared: how often ``above`` contains ``below``, and what is aimed at."""

    above: str
    below: str
    target: str = ""


class Run:
    """One run of the stage.

    Args:
        result: where findings go.
        device: what is measured.
        toy: toy sizes.
        matrix_rate: floating-point operations a second of bf16 matrix products, as measured; None
            where it is not known.
    """

    def __init__(
        self, result: StageResult, device: torch.device, toy: bool, matrix_rate: float | None
    ):
        self.result = result
        self.device = device
        self.toy = toy
        self.matrix_rate = matrix_rate
        self.out_of_memory: set[str] = set()
        self._ratios: list[dict[str, Any]] = []
        result.add(RATIOS, self._ratios)

    def attempt(self, what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function; a failure is recorded, and the run goes on.

        Too little memory is a finding, in ``out_of_memory``; anything else that fails also makes
        the exit status of the stage.

        Returns:
            What the function does, or None where it failed.
        """
        try:
            return function(*args, **kwargs)
        except torch.OutOfMemoryError:
            self.out_of_memory.add(what)
        except (Exception, SystemExit) as error:  # in which the plugin's hooks end on bad input
            lines = str(error).strip().splitlines() or ["no message"]
            self.result.fail(f"{what}: {type(error).__name__}: {lines[0][:300]}")
        self.clear()
        return None

    def why_missing(self, what: str) -> str:
        """Why a measurement has no numbers."""
        return "out of memory" if what in self.out_of_memory else "failed"

    def clear(self) -> None:
        """Gives back the GPU's memory of what nobody holds any more."""
        if self.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()

    def ratios(
        self, where: str, times: dict[str, list[float]], pairs: Sequence[Ratio], what: str = "time"
    ) -> None:
        """Adds how long each takes in the unit of another, round by round, where both were
        measured; in place of those that were added for ``where`` before."""
        self._ratios[:] = [row for row in self._ratios if row["at"] != where]
        for above, below, target in pairs:
            rounds = list(zip(times.get(above, []), times.get(below, [])))
            if len(rounds) < 2:
                continue
            low, middle, high = quartiles(a / b for a, b in rounds)
            self._ratios.append(
                {
                    f"{what} of": f"{above} / {below}",
                    "at": where,
                    "median": round(middle, 2),
                    "quartiles": f"{low:.2f} to {high:.2f}",
                    "target": target,
                }
            )
        self.result.add(RATIOS, self._ratios)
