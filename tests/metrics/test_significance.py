import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.metrics.outcomes import accuracy_outcomes
from fairseq_amber.metrics.significance import compare_outcomes, scores_of


def accuracy(*outcomes, language="de"):
    return {language: {str(i): accuracy_outcomes(np.array(o) > 0) for i, o in enumerate(outcomes)}}


def test_scores_are_ratios_of_sums_and_means_of_parts():
    aer = {"de": {"score": np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 4.0]])}}
    assert scores_of(aer) == {"de": 50}
    assert scores_of(aer, error_rate=True) == {"de": 50}
    assert scores_of(accuracy([1, 1, 1, 0], [1, 0, 0, 0])) == {"de": 50}
    assert scores_of({"de": {"score": np.zeros((2, 2))}}) == {"de": 0}


def test_p_values_that_are_known():
    """With k items of which all differ one way, both signs of 2^k swaps are as extreme."""
    for k in (3, 5, 8):
        both = [1, 0, 1, 1, 0]
        [row] = compare_outcomes(
            [accuracy([1] * k + both)], [accuracy([0] * k + both)], resamples=20000
        )
        assert row.p_value == pytest.approx(2 / 2**k, abs=4 * (2 / 2**k / 20000) ** 0.5)
        assert row.difference == pytest.approx(100 * k / (k + 5))
        assert row.n == k + 5


def test_the_observed_outcome_counts_among_the_swaps():
    """So that no p-value is 0: 1 / (1 + resamples) is the least there can be."""
    for resamples in (99, 999):
        [row] = compare_outcomes([accuracy([1] * 60)], [accuracy([0] * 60)], resamples=resamples)
        assert row.p_value == 1 / (1 + resamples)


def test_equal_systems_do_not_differ():
    [row] = compare_outcomes([accuracy([1, 0, 1])], [accuracy([1, 0, 1])])
    assert (row.difference, row.low, row.high, row.p_value) == (0, 0, 0, 1)


def as_scipy(first, second, resamples):
    """p-value and interval of (P, N, 2) arrays by SciPy, item by item."""
    scipy = pytest.importorskip("scipy.stats")
    table, n = np.concatenate([first, second], axis=1), first.shape[1]

    def score(indices):
        sums = table[:, np.asarray(indices, dtype=int)].sum(axis=-2)
        return 100 * (sums[..., 0] / sums[..., 1]).mean(axis=0)

    items = np.arange(n)
    p_value = scipy.permutation_test(
        (items, items + n),
        lambda x, y, axis: score(np.moveaxis(x, axis, -1)) - score(np.moveaxis(y, axis, -1)),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        random_state=np.random.default_rng(1),
    ).pvalue
    interval = scipy.bootstrap(
        (items,),
        lambda x, axis: score(x) - score(np.asarray(x) + n),
        method="percentile",
        vectorized=True,
        n_resamples=resamples,
        random_state=np.random.default_rng(1),
    ).confidence_interval
    return p_value, interval.low, interval.high


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("kind", ["accuracy", "counts"])
def test_agrees_with_scipy(parts, kind):
    rng = np.random.default_rng(parts)
    sides = []
    for share in (0.62, 0.5):
        totals = np.ones((parts, 90)) if kind == "accuracy" else rng.integers(1, 9, (parts, 90))
        sides.append(np.stack([rng.binomial(totals.astype(int), share), totals], axis=-1))
    items = [{"de": {str(i): part for i, part in enumerate(side.astype(float))}} for side in sides]
    [row] = compare_outcomes(items[:1], items[1:], resamples=9999)
    p_value, low, high = as_scipy(*sides, resamples=4999)
    assert 1e-4 < row.p_value < 0.5
    assert row.p_value == pytest.approx(p_value, abs=0.02)
    assert (row.low, row.high) == pytest.approx((low, high), abs=0.8)


def test_an_error_rate_turns_the_sign():
    rng = np.random.default_rng(0)
    first, second = ({"de": {"score": rng.integers(1, 9, (50, 2)) + [0, 9]}} for _ in range(2))
    [score] = compare_outcomes([first], [second])
    [error] = compare_outcomes([first], [second], error_rate=True)
    assert error.first == pytest.approx(100 - score.first)
    assert error.difference == pytest.approx(-score.difference)
    assert (error.low, error.high) == pytest.approx((-score.high, -score.low))
    assert error.p_value == score.p_value


def test_the_mean_over_languages_is_tested_by_items_of_each():
    """Many items of one language must not outvote the few of another."""
    rng = np.random.default_rng(0)
    large, small = rng.random(4000) < 0.5, rng.random(20) < 0.5
    first = {**accuracy(large), **accuracy(np.ones(20), language="sw")}
    second = {**accuracy(large), **accuracy(small, language="sw")}
    german, swahili, mean = compare_outcomes([first], [second])
    assert [row.label for row in (german, swahili, mean)] == ["de", "sw", "mean"]
    assert german.p_value == 1 and mean.p_value == pytest.approx(swahili.p_value, abs=0.01)
    assert mean.difference == pytest.approx(swahili.difference / 2)
    assert mean.n == 4020


def test_items_that_count_for_neither_change_nothing():
    rng = np.random.default_rng(0)
    sides = [rng.integers(1, 9, (30, 2)) for _ in range(2)]
    blank = np.insert(sides, [3] * 50 + [20] * 9, 0, axis=1)
    [row] = compare_outcomes(*([{"de": {"score": side}}] for side in sides))
    [other] = compare_outcomes(*([{"de": {"score": side}}] for side in blank))
    assert other == row._replace(n=89)
    [nothing] = compare_outcomes(*([{"de": {"score": np.zeros((4, 2))}}] for _ in sides))
    assert (nothing.first, nothing.difference, nothing.p_value, nothing.n) == (0, 0, 1, 4)


def test_runs_are_averaged_and_the_seed_decides():
    rng = np.random.default_rng(0)
    first, second = ([accuracy(rng.random(60) < share) for _ in range(3)] for share in (0.7, 0.5))
    [row] = compare_outcomes(first, second, seed=1)
    means = [np.mean([scores_of(run)["de"] for run in runs]) for runs in (first, second)]
    assert (row.first, row.second) == pytest.approx(means)
    assert (
        [row] == compare_outcomes(first, second, seed=1) != compare_outcomes(first, second, seed=2)
    )
    assert compare_outcomes(first[:1], second)[0].n == 60  # the number of runs may differ


@pytest.mark.parametrize(
    "second, message",
    [
        (accuracy([1, 0]), "not measured on the same items of de"),
        (accuracy([1, 0, 1], [1, 0, 1]), "not measured on the same items of de"),
        (accuracy([1, 0, 1], language="fr"), "share no language: de and fr"),
    ],
)
def test_other_items_are_refused(second, message):
    with pytest.raises(UserError, match=message):
        compare_outcomes([accuracy([1, 0, 1])], [second])


def test_a_single_item_is_refused():
    with pytest.raises(UserError, match="a single item"):
        compare_outcomes([accuracy([1])], [accuracy([0])])
