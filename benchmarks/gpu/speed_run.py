"""What the measurements of speed share: the results, and failures that do not end the run."""

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
    """Two measurements to compare.

    Attributes:
        above: the numerator of the ratio.
        below: the denominator of the ratio.
        target: the ratio that is aimed at, in words.
    """

    above: str
    below: str
    target: str = ""


class Run:
    """One run of the stage.

    Args:
        result: where findings are written to.
        device: the device that is measured.
        toy: whether sizes are toy sizes.
        matrix_rate: measured rate of bf16 matrix products per second; None if unknown.
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

        Too little memory is a finding, kept in ``out_of_memory``. Any other failure also changes
        the exit status of the stage.

        Returns:
            What the function returns, or None if it failed.
        """
        try:
            return function(*args, **kwargs)
        except torch.OutOfMemoryError:
            self.out_of_memory.add(what)
        except (Exception, SystemExit) as error:  # the plugin's hooks raise SystemExit on bad input
            lines = str(error).strip().splitlines() or ["no message"]
            self.result.fail(f"{what}: {type(error).__name__}: {lines[0][:300]}")
        self.clear()
        return None

    def why_missing(self, what: str) -> str:
        """The reason why a measurement has no numbers."""
        return "out of memory" if what in self.out_of_memory else "failed"

    def clear(self) -> None:
        """Frees the GPU memory that is no longer used."""
        if self.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()

    def ratios(
        self, where: str, times: dict[str, list[float]], pairs: Sequence[Ratio], what: str = "time"
    ) -> None:
        """Adds the ratios of pairs of measurements, round by round, where both were measured.

        They replace the ratios that were added for the same ``where`` before.
        """
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
