"""Whether two systems differ on the same test items: paired tests on the outcome of every item.

The p-value is that of approximate randomisation (Noreen, 1989): how often a difference at least as
large, either way, arises where the toss of a coin swaps an item's outcomes between the systems. The
interval is that of the paired bootstrap (Koehn, 2004): items are drawn with replacement, those of
each language among themselves. Sums over resampled items are matrix products, so that tens of
thousands of items take seconds; `scipy.stats.permutation_test` and `bootstrap` give the same.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.metrics.outcomes import Items
from fairseq_amber.progress import Progress

RESAMPLES = 9999
MEAN = "mean"

_CELLS = 1 << 22  # of resampled items in memory


class Difference(NamedTuple):
    """Scores of two systems in percent; the interval (95 %) and p-value of `first` - `second`."""

    label: str
    first: float
    second: float
    low: float
    high: float
    p_value: float
    n: int

    @property
    def difference(self) -> float:
        """`first` - `second`, in percentage points."""
        return self.first - self.second


def compare_items(
    first: Sequence[Items],
    second: Sequence[Items],
    *,
    error_rate: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Differences for each language that both systems have, and the mean over several.

    Args:
        first, second: one or more runs of a system; an item's outcome is the mean over its runs.
        error_rate: the score is 100 minus that of the outcomes.

    Raises:
        UserError: there is no common language, or the items are not the same.
    """
    sign = -1 if error_rate else 1
    rows, replicates = [], []
    rng = np.random.default_rng(seed)
    tables = _tables(first, second)
    work = sum(table.shape[2] for table in tables.values())
    with Progress(
        total=resamples * len(tables), unit="resamples", work=resamples * work
    ) as progress:
        for language, table in tables.items():
            progress.describe(f"comparing on {language}")
            swapped, drawn = _replicates(table, resamples, rng, progress)
            observed = np.array([_score(side.sum(axis=1)) for side in table])
            rows.append(_difference(language, observed, swapped, drawn, sign, table.shape[2]))
            replicates.append((observed, swapped, drawn))
    if len(rows) > 1:
        observed, swapped, drawn = (np.mean(part, axis=0) for part in zip(*replicates))
        rows.append(_difference(MEAN, observed, swapped, drawn, sign, sum(row.n for row in rows)))
    return rows


def scores_of(items: Items, *, error_rate: bool = False) -> dict[str, float]:
    """Of each language, in percent."""
    scores = {}
    for language, parts in items.items():
        sums = [values.sum(axis=0, dtype=float) for values in parts.values()]
        score = float(_score(np.stack(sums)))
        scores[language] = 100 - score if error_rate else score
    return scores


def _tables(first: Sequence[Items], second: Sequence[Items]) -> dict[str, np.ndarray]:
    """By language (2, P, N, 2): both systems, the parts of the score, items, hits and totals."""
    sides = [_by_language(runs) for runs in (first, second)]
    common = [language for language in sides[0] if language in sides[1]]
    if not common:
        raise UserError(
            f"the two systems share no language: {', '.join(sides[0])} and {', '.join(sides[1])}"
        )
    tables = {}
    for language in common:
        shapes = {np.shape(part) for side in sides for run in side[language] for part in run}
        if len(shapes) != 1 or len({len(run) for side in sides for run in side[language]}) != 1:
            raise UserError(f"the two systems were not measured on the same items of {language}")
        if next(iter(shapes))[0] < 2:
            raise UserError(f"{language} has a single item: too few to compare")
        tables[language] = np.stack(
            [np.mean(side[language], axis=0, dtype=float) for side in sides]
        )
    return tables


def _by_language(runs: Sequence[Items]) -> dict[str, list[list[np.ndarray]]]:
    found: dict[str, list[list[np.ndarray]]] = {}
    for run in runs:
        for language, parts in run.items():
            found.setdefault(language, []).append([parts[name] for name in sorted(parts)])
    return found


def _replicates(
    table: np.ndarray, resamples: int, rng: np.random.Generator, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Differences in score, (resamples,), after swapping items and after drawing them anew."""
    items = table.shape[2]
    counted = table.any(axis=(0, 1, 3))  # the others change no sum
    table = table[:, :, counted] if counted.any() else table
    n = table.shape[2]
    first, second = (side.transpose(1, 0, 2).reshape(n, -1) for side in table)  # (N, 2P)
    both = first.sum(axis=0) + second.sum(axis=0)
    swapped, drawn = [], []
    for size in _chunks(resamples, max(1, _CELLS // n)):
        kept = rng.integers(0, 2, (size, n)).astype(float)
        sums = kept @ (first - second) + second.sum(axis=0)
        swapped.append(_scores(sums) - _scores(both - sums))
        # How often each item is drawn: (size, N), as one count over all resamples.
        places = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        weights = np.bincount(places.ravel(), minlength=size * n).reshape(size, n).astype(float)
        drawn.append(_scores(weights @ first) - _scores(weights @ second))
        progress.update(size, work=size * items)
    return np.concatenate(swapped), np.concatenate(drawn)


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _scores(sums: np.ndarray) -> np.ndarray:
    """(R, 2P) -> (R,), see `_score`."""
    return _score(sums.reshape(len(sums), -1, 2))


def _score(sums: np.ndarray) -> np.ndarray:
    """(..., P, 2) hits and totals -> (...) in percent, the mean of the parts."""
    hits, totals = sums[..., 0], sums[..., 1]
    return 100 * np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0).mean(axis=-1)


def _difference(
    label: str,
    observed: np.ndarray,
    swapped: np.ndarray,
    drawn: np.ndarray,
    sign: int,
    n: int,
) -> Difference:
    first, second = observed
    # Of equal differences, rounding may make one look smaller.
    extreme = np.abs(swapped) >= abs(first - second) - 1e-9
    low, high = np.percentile(sign * drawn, [2.5, 97.5])
    return Difference(
        label=label,
        first=float(first if sign > 0 else 100 - first),
        second=float(second if sign > 0 else 100 - second),
        low=float(low),
        high=float(high),
        p_value=(1 + int(extreme.sum())) / (1 + len(swapped)),
        n=n,
    )
