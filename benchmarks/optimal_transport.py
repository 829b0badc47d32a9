"""Ratios of the step times of our optimal transport and of other libraries, on the same pairs.

Our solvers are compared with POT's solver in a loop over the pairs, POT's solver for batches, POT's
exact solver, UNITER's IPOT and, if it is installed, GeomLoss. A step computes the cost between the
states of two sentences, solves the problem, and computes the gradient of the states. Solvers of the
same objective must agree in value and gradient, or nothing is timed. In each round all steps run
once, in an order that changes from round to round; a ratio is the median over the rounds. At the
end, the share of the term in a training step of an encoder in the shape of amber_base is measured.

    python benchmarks/optimal_transport.py --threads 2 --output benchmarks/results/<name>.md
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import statistics
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Callable, Iterator

import ot
import torch
from published import publish
from transport_solvers import (
    BATCH,
    DIVERGENCE,
    EPSILON,
    ITERATIONS,
    LOOP,
    OURS,
    RATIOS,
    TRITON,
    Pairs,
    Size,
    Solver,
    Values,
    ours_divergence,
    ours_sinkhorn,
    pairs_of,
    sizes,
    solvers,
)
from transport_steps import Agreement, step_of

from fairseq_amber.models.encoder import SentenceEncoder
from fairseq_amber.objectives.optimal_transport import sinkhorn_divergence


def main() -> None:
    """Measures, prints the tables, and writes them to --output."""
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore", "Sinkhorn did not converge")  # 50 iterations are intended
    main_size, *other_sizes = sizes(args.quick)
    parts = [header(args), solver_tables(args, main_size)]
    if other_sizes:
        parts.append(size_table(args, other_sizes))
    parts.append(share_table(args))
    report = "\n\n".join(parts)
    publish(report, args.output)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; default: those of torch")
    parser.add_argument(
        "--rounds", type=int, default=15, help="rounds after the warm-up, at least 2"
    )
    parser.add_argument("--warmup", type=int, default=2, help="rounds before the measurement")
    parser.add_argument(
        "--pairs", type=int, help="pairs of the training step; default: 64, on CPU 8"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    args = parser.parse_args()
    if args.rounds < 2:
        parser.error("--rounds: quartiles need at least 2")
    return args


def check_agreement(pairs: Pairs, chosen: dict[str, Solver]) -> None:
    """Ends the process if two solvers of the same objective differ."""
    agreement = Agreement(pairs)
    for name, solver in chosen.items():
        try:
            agreement.check(name, solver)
        except RuntimeError as error:
            sys.exit(f"error: {error}")


# Measurement


def measured(
    args, steps: dict[str, Callable[[], None]], rounds: int | None = None
) -> dict[str, list[float]]:
    """Runs all steps in turn and returns the seconds of each step in each round."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(args.warmup + (rounds or args.rounds)):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            seconds = timed(steps[name], args.device)
            if turn >= args.warmup:
                times[name].append(seconds)
    return times


def timed(step: Callable[[], None], device: str) -> float:
    """Seconds of one step, until the GPU has finished."""
    synchronize(device)
    start = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: str) -> None:
    """Waits until the GPU has finished, if there is one."""
    if device != "cpu":
        torch.cuda.synchronize()


def header(args) -> str:
    """What was measured, on which hardware, and the command that repeats it."""
    hardware = (
        torch.cuda.get_device_name()
        if args.device != "cpu"
        else f"CPU ({platform.machine()}), threads: {torch.get_num_threads()}"
    )
    libraries = [f"torch {torch.__version__}", f"POT {ot.__version__}"]
    if importlib.util.find_spec("geomloss"):
        libraries.append(f"GeomLoss {version('geomloss')}")
    return "\n".join(
        [
            "# Step times of optimal transport",
            "",
            f"    python benchmarks/optimal_transport.py {' '.join(sys.argv[1:])}",
            "",
            f"{hardware}; {', '.join(libraries)}; float32; cosine cost, epsilon {EPSILON}, "
            f"{ITERATIONS} iterations; uniform weights. GeomLoss's objective has its own cost and "
            f"schedule, by its defaults. Median of {args.rounds} rounds.",
        ]
    )


def solver_tables(args, size: Size) -> str:
    """A table of all solvers at one size."""
    chosen = solvers(args.device)
    pairs = pairs_of(size, args.device)
    check_agreement(pairs, chosen)
    times = measured(args, {name: step_of(pairs, solver) for name, solver in chosen.items()})
    lines = [f"## {size}", "", "| step | objective | milliseconds |", "|---|---|---|"]
    for name, seconds in times.items():
        middle = 1000 * statistics.median(seconds)
        lines.append(f"| {name} | {chosen[name].objective} | {middle:.1f} |")
    lines += ["", "| ratio | median | quartiles | target |", "|---|---|---|---|"]
    for above, below, target in RATIOS:
        if above in times and below in times:
            ratio = spread(a / b for a, b in zip(times[above], times[below]))
            lines.append(f"| {above} / {below} | {ratio} | {target} |")
    return "\n".join(lines)


def spread(values: Iterator[float], digits: int = 1, unit: str = "") -> str:
    """The median and the quartiles, as two cells of a table."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f}{unit} | {low:.{digits}f} to {high:.{digits}f}{unit}"


def size_table(args, others: list[Size]) -> str:
    """A table of the main ratios at other sizes."""
    lines = [
        "## Other sizes",
        "",
        f"| size | {OURS}, ms | {LOOP} / {OURS} | quartiles | {BATCH} / {OURS} | quartiles |",
        "|---|---|---|---|---|---|",
    ]
    for size in others:
        chosen = {name: solvers(args.device)[name] for name in (LOOP, BATCH, OURS)}
        pairs = pairs_of(size, args.device)
        check_agreement(pairs, chosen)
        times = measured(args, {name: step_of(pairs, solver) for name, solver in chosen.items()})
        ours = times[OURS]
        ratios = [spread(a / b for a, b in zip(times[name], ours)) for name in (LOOP, BATCH)]
        milliseconds = 1000 * statistics.median(ours)
        lines.append(f"| {size} | {milliseconds:.1f} | {ratios[0]} | {ratios[1]} |")
    return "\n".join(lines)


# A training step


def share_table(args) -> str:
    """A table of the share that the term takes of an encoder's forward and backward passes."""
    pairs = args.pairs or (64 if args.device != "cpu" else 8)
    size = Size(pairs, 10, 60, 768)
    layers, vocabulary = 12, 250_002
    if args.quick:
        size, layers, vocabulary = Size(pairs, 5, 20, 128), 2, 1000
    problem = pairs_of(size, args.device)
    mask = torch.cat([problem.a, problem.b]) > 0
    pad = 1
    encoder = SentenceEncoder(
        vocabulary,
        pad,
        layers=layers,
        dim=size.dim,
        ffn_dim=4 * size.dim,
        heads=size.dim // 64,
        max_positions=512,
    ).to(args.device)
    tokens = torch.randint(4, vocabulary, mask.shape, device=args.device).masked_fill(~mask, pad)
    some_gradient = torch.randn(*mask.shape, size.dim, device=args.device)
    places = [torch.nonzero(side.flatten()).squeeze(1) for side in mask.split(pairs)]
    pooled_weights = [torch.full((1, len(at)), 1 / len(at), device=args.device) for at in places]

    def pooled(problem: Pairs) -> Values:
        """One problem of all words of the batch: the paper's objective, read as pooled."""
        points = [s.flatten(0, 1)[at].unsqueeze(0) for s, at in zip(problem[:2], places)]
        value = sinkhorn_divergence(*points, *pooled_weights)
        return Values.same(value)

    terms: dict[str, Callable[[Pairs], Values]] = {
        OURS: ours_sinkhorn,
        f"{DIVERGENCE}, each pair": ours_divergence,
        f"{DIVERGENCE}, pooled": pooled,
    }
    if TRITON in solvers(args.device):
        terms[TRITON] = lambda problem: ours_sinkhorn(problem, kernel="triton")
    spent: dict[str, list[float]] = {name: [] for name in terms}

    def step(name: str | None = None) -> None:
        encoder.zero_grad()
        states = encoder(tokens).states
        if name is None:
            states.backward(some_gradient)
            return
        x, y = (side.detach().requires_grad_() for side in states.split(pairs))

        def term() -> None:
            terms[name](problem._replace(x=x, y=y)).loss.mean().backward()

        spent[name].append(timed(term, args.device))
        states.backward(torch.cat([x.grad, y.grad]))

    steps: dict[str, Callable[[], None]] = {"without": step}
    steps.update({name: lambda name=name: step(name) for name in terms})
    rounds = max(2, args.rounds // 3)
    times = measured(args, steps, rounds)
    without = times["without"]
    lines = [
        "## Share of a training step",
        "",
        f"An encoder of {layers} layers of {size.dim}, dropout 0.1; {size}; forward and backward, "
        f"without an optimizer: {1000 * statistics.median(without):.0f} ms without the term. The "
        f"share is the term's own time in the step. Median of {rounds} rounds.",
        "",
        "| term | milliseconds | share | quartiles | step with / without | quartiles | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in terms:
        own = spent[name][args.warmup :]
        milliseconds = 1000 * statistics.median(own)
        share = spread((100 * a / b for a, b in zip(own, times[name])), unit=" %")
        longer = spread((a / b for a, b in zip(times[name], without)), digits=2)
        lines.append(f"| {name} | {milliseconds:.1f} | {share} | {longer} | under 10 % on GPU |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
