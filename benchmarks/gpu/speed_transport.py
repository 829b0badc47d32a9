"""Step times of optimal transport on the device: our solvers, POT's, GeomLoss and IPOT."""

from __future__ import annotations

import importlib.util
import statistics
import warnings
from typing import Any

from speed_run import Ratio, Run
from stopwatch import Limit, in_turns, synchronize
from transport_solvers import RATIOS, Solver, pairs_of, sizes, solvers
from transport_steps import Agreement, step_of

_SLACK = 10.0  # a GPU adds in another order, which 50 differentiated iterations amplify


def measure(run: Run, seconds: float) -> None:
    """Measures all solvers on the same pairs, within about this time."""
    limit = Limit(seconds)
    warnings.filterwarnings("ignore", "Sinkhorn did not converge")  # 50 iterations are intended
    size = sizes(run.toy)[0]
    heading = f"Optimal transport: {size}"
    chosen = solvers(run.device.type)
    pairs = pairs_of(size, str(run.device))
    agreement = Agreement(pairs, _SLACK)
    rows: dict[str, dict[str, Any]] = {}
    steps = {}
    for name, solver in chosen.items():
        rows[name] = {"step": name, "objective": solver.objective}
        off = run.attempt(_named(name), _checked, run, agreement, name, solver)
        if off is None:
            rows[name]["ms"] = run.why_missing(_named(name))
            continue
        rows[name].update({"values off by": off[0], "gradient off by": off[1]})
        steps[_named(name)] = step_of(pairs, solver)
    times = in_turns(steps, limit.left(), run.device, run.attempt)
    for name, row in rows.items():
        taken = times.get(_named(name))
        if taken:
            row["ms"] = 1000 * statistics.median(taken)
            row["pairs a second"] = int(size.pairs / statistics.median(taken))
        elif _named(name) in steps:
            row["ms"] = run.why_missing(_named(name))
    missing = [name for name in ("geomloss", "triton") if not importlib.util.find_spec(name)]
    note = (
        "A step is the cost between the states of two sentences, the solver, and the gradient of "
        "the states, in fp32. Off: norms relative to those of the objective's first solver. Median "
        f"of {max(map(len, times.values()), default=0)} rounds."
        + (f" Not installed: {', '.join(missing)}." if missing else "")
    )
    run.result.add(heading, list(rows.values()), note)
    named = {name: times[_named(name)] for name in chosen if _named(name) in times}
    run.ratios(heading, named, [Ratio(*ratio) for ratio in RATIOS])


def _named(name: str) -> str:
    return f"optimal transport, {name}"


def _checked(run: Run, agreement: Agreement, name: str, solver: Solver) -> tuple[float, float]:
    off = agreement.check(name, solver)
    synchronize(run.device)
    return off
