"""Damaged vectors, links, gold, results and texts are named in one line, or do no harm."""

import pytest

from damage_trials import check_all


@pytest.fixture(scope="module")
def trials(damage_scenes):
    return damage_scenes.measuring()


@pytest.mark.parametrize("seed", range(2))
def test_no_command_meets_damage_with_a_traceback_or_a_wrong_result(trials, tmp_path, seed):
    """An empty .npz of outcomes ended a report, and a damaged header a mining, in a traceback."""
    check_all(trials, tmp_path, seed, 4)
