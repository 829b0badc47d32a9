"""Damaged files of a corpus are named in one line, or do no harm."""

import pytest

from damage_trials import check_all


@pytest.fixture(scope="module")
def trials(damage_scenes):
    return damage_scenes.corpus()


@pytest.mark.parametrize("seed", range(2))
def test_no_command_meets_damage_with_a_traceback_or_a_wrong_result(trials, tmp_path, seed):
    """A flipped bit in an .idx gave the links of other words with status 0, or an IndexError."""
    check_all(trials, tmp_path, seed, 4)
