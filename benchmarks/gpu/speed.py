"""Speed on a GPU: training, optimal transport and inference, compared with stock fairseq and POT.

    python benchmarks/gpu/speed.py --output results

Every table is written as soon as it is measured. The most important come first: training steps in
the shapes of XLM-R base and amber_base, optimal transport, embed, align and mine, training in fp32.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # for the modules beside this folder

import speed_training  # noqa: E402
import torch  # noqa: E402
from results import StageResult, device_of, parser_of  # noqa: E402
from speed_run import Run  # noqa: E402
from stopwatch import Limit, seconds_of  # noqa: E402

STAGE = "speed"


class Part(NamedTuple):
    """One measurement.

    Attributes:
        name: its name.
        seconds: the time that it should take, relative to the other parts.
        measure: the function that measures it.
    """

    name: str
    seconds: float
    measure: Callable[..., None]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and returns the exit status: 1 if a measurement failed."""
    parser = parser_of(__doc__.split("\n")[0])
    parser.add_argument(
        "--matrix-rate",
        type=float,
        metavar="TFLOPS",
        help="rate of bf16 matrix products on this card; by default it is measured",
    )
    parser.add_argument("--seconds", type=float, help="total time; default: 150, with --toy 1")
    args = parser.parse_args(argv)
    args.seconds = args.seconds or (1.0 if args.toy else 150.0)
    device = device_of(args)
    limit = Limit(args.seconds)
    rate = args.matrix_rate or measured_matrix_rate(device, 256 if args.toy else 8192)
    result = StageResult(
        args.output,
        STAGE,
        "Speed of training, optimal transport and inference",
        device,
        {"bf16 matrix rate, TFLOP/s": rate, "toy sizes": args.toy},
    )
    run = Run(result, device, args.toy, rate * 1e12)
    parts = parts_of(args.toy)
    whole = sum(part.seconds for part in parts)
    taken: dict[str, float] = {}
    for part in parts:
        if limit.left() < 0 and not args.toy:  # --toy runs everything on any machine
            result.fail(f"{part.name}: not measured, {limit.seconds:.0f} seconds were over")
            continue
        seconds = min(limit.left(), part.seconds / whole * limit.seconds)
        begun = limit.left()
        run.attempt(part.name, part.measure, run, seconds=seconds)
        run.clear()
        taken[part.name] = round(begun - limit.left(), 1)
        result.put(seconds_of_parts=taken)
    return result.end()


def parts_of(toy: bool) -> list[Part]:
    """The measurements, the most important first."""
    trained = [
        Part(f"training, {setting}", seconds, partial(speed_training.measure, setting=setting))
        for setting, seconds in zip(speed_training.settings_of(toy), (45, 30, 45))
    ]
    return [
        *trained[:2],
        Part("optimal transport", 25, partial(measure_by, "speed_transport")),
        Part("embed and align", 35, partial(measure_by, "speed_inference")),
        Part("mine", 15, partial(measure_by, "speed_mining")),
        *trained[2:],
    ]


def measure_by(module: str, run: Run, seconds: float) -> None:
    """Measures by a module that is imported only now.

    So a library that one module lacks does not stop the other measurements.
    """
    importlib.import_module(module).measure(run, seconds)


def measured_matrix_rate(device: torch.device, size: int) -> float:
    """The rate of (size, size) bf16 matrix products, in 10^12 operations per second."""
    a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    times = [seconds_of(lambda: a @ b, device) for _ in range(12)]
    return 2 * size**3 / min(times) / 1e12


if __name__ == "__main__":
    sys.exit(main())
