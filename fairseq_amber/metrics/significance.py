"""Paired significance tests of two systems on the same test items.

The p-value comes from approximate randomisation (Noreen, 1989): each resample swaps the two
systems' outcomes of every item with probability 1/2; the p-value is the share of resamples whose
difference is at least as large, in either direction, as the observed one. The 95 % confidence
interval comes from the paired bootstrap (Koehn, 2004): each resample draws the items of each
language with replacement. Sums over resampled items are computed as matrix products, so that tens
of thousands of items take seconds. ``scipy.stats.permutation_test`` and ``scipy.stats.bootstrap``
give the same results, more slowly.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.metrics.outcomes import Outcomes
from fairseq_amber.progress import Progress

RESAMPLES = 9999
MEAN = "mean"

_CELLS = 1 << 22  # resamples times items that are held in memory at once


class Difference(NamedTuple):
    """Scores of two systems on one language, and how significant their difference is.

    Attributes:
        label: the language, or ``mean``.
        first: score of the first system, in percent.
        second: score of the second system, in percent.
        low: lower end of the 95 % confidence interval of ``first - second``.
        high: upper end of that interval.
        p_value: two-sided p-value of ``first - second``.
        n: number of test items.
    """

    label: str
    first: float
    second: float
    low: float
    high: float
    p_value: float
    n: int

    @property
    def difference(self) -> float:
        """The difference ``first - second``, in percentage points."""
        return self.first - self.second


def compare_outcomes(
    first: Sequence[Outcomes],
    second: Sequence[Outcomes],
    *,
    error_rate: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Tests the difference of two systems on each language that both have, and on the mean.

    Args:
        first: one or more runs of the first system; an item's outcome is the mean over the runs.
        second: one or more runs of the second system, averaged in the same way.
        error_rate: whether the score is 100 minus the score of the outcomes, so that lower is
            better.
        resamples: number of resamples, for the p-value and for the interval.
        seed: seed of the resampling.

    Returns:
        One difference for each language and, if there are several languages, one for their mean.

    Raises:
        UserError: the systems share no language, or were measured on different items.
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
            differences = _replicates(table, resamples, rng, progress)
            observed = np.array([_score(side.sum(axis=1)) for side in table])
            rows.append(_difference(language, observed, *differences, sign, table.shape[2]))
            replicates.append((observed, *differences))
    if len(rows) > 1:
        observed, swapped, drawn = (np.mean(part, axis=0) for part in zip(*replicates))
        items = sum(row.n for row in rows)
        rows.append(_difference(MEAN, observed, swapped, drawn, sign, items))
    return rows


def scores_of(outcomes: Outcomes, *, error_rate: bool = False) -> dict[str, float]:
    """Computes the score of each language, in percent.

    Args:
        outcomes: the outcomes of one run.
        error_rate: whether the score is 100 minus the score of the outcomes.
    """
    scores = {}
    for language, parts in outcomes.items():
        sums = [values.sum(axis=0, dtype=float) for values in parts.values()]
        score = float(_score(np.stack(sums)))
        scores[language] = 100 - score if error_rate else score
    return scores


def _tables(first: Sequence[Outcomes], second: Sequence[Outcomes]) -> dict[str, np.ndarray]:
    """Averages the outcomes of each system over its runs.

    Returns:
        An array (2, P, N, 2) by language: systems, parts of the score, items, and numerator and
        denominator.
    """
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


def _by_language(runs: Sequence[Outcomes]) -> dict[str, list[list[np.ndarray]]]:
    """Returns, for each language, the parts (N, 2) of every run, sorted by the part's name."""
    found: dict[str, list[list[np.ndarray]]] = {}
    for run in runs:
        for language, parts in run.items():
            found.setdefault(language, []).append([parts[name] for name in sorted(parts)])
    return found


def _replicates(
    table: np.ndarray, resamples: int, rng: np.random.Generator, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Computes differences in score after resampling: with swapped outcomes, with redrawn items.

    Returns:
        Two arrays (resamples,).
    """
    items = table.shape[2]
    not_zero = table.any(axis=(0, 1, 3))  # items that are zero everywhere change no sum
    table = table[:, :, not_zero] if not_zero.any() else table
    n = table.shape[2]
    first, second = (side.transpose(1, 0, 2).reshape(n, -1) for side in table)  # (N, 2P)
    both = first.sum(axis=0) + second.sum(axis=0)
    swapped_differences, bootstrap_differences = [], []
    for size in _chunks(resamples, max(1, _CELLS // n)):
        kept = rng.integers(0, 2, (size, n)).astype(float)
        sums = kept @ (first - second) + second.sum(axis=0)
        swapped_differences.append(_scores(sums) - _scores(both - sums))
        # weights (size, N): how often each resample draws each item, counted by one bincount.
        drawn_items = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        weights = (
            np.bincount(drawn_items.ravel(), minlength=size * n).reshape(size, n).astype(float)
        )
        bootstrap_differences.append(_scores(weights @ first) - _scores(weights @ second))
        progress.update(size, work=size * items)
    return np.concatenate(swapped_differences), np.concatenate(bootstrap_differences)


def _chunks(total: int, size: int) -> Iterator[int]:
    """Yields sizes of at most ``size`` that sum to ``total``."""
    for start in range(0, total, size):
        yield min(size, total - start)


def _scores(sums: np.ndarray) -> np.ndarray:
    """Computes the scores of R resamples: (R, 2P) -> (R,), see ``_score``."""
    return _score(sums.reshape(len(sums), -1, 2))


def _score(sums: np.ndarray) -> np.ndarray:
    """Averages the scores (%) of P parts: (..., P, 2) numerators and denominators -> (...)."""
    numerators, denominators = sums[..., 0], sums[..., 1]
    ratios = np.divide(
        numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0
    )
    return 100 * ratios.mean(axis=-1)


def _difference(
    label: str,
    observed: np.ndarray,
    swapped_differences: np.ndarray,
    bootstrap_differences: np.ndarray,
    sign: int,
    n: int,
) -> Difference:
    """Computes the interval and the p-value of a difference from its (R,) resamples. The (2,)
    observed scores are those of both systems; ``sign`` is -1 for an error rate, else 1."""
    first, second = observed
    # The tolerance counts a difference as extreme that is smaller by rounding alone.
    extreme = np.abs(swapped_differences) >= abs(first - second) - 1e-9
    low, high = np.percentile(sign * bootstrap_differences, [2.5, 97.5])
    return Difference(
        label=label,
        first=float(first if sign > 0 else 100 - first),
        second=float(second if sign > 0 else 100 - second),
        low=float(low),
        high=float(high),
        p_value=(1 + int(extreme.sum())) / (1 + len(swapped_differences)),
        n=n,
    )
