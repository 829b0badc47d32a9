"""Damaged checkpoints and folders of Hugging Face are named in one line, or do no harm."""

import pytest

from damage_trials import check_all


@pytest.fixture(scope="module")
def trials(damage_scenes):
    pytest.importorskip("tokenizers")
    pytest.importorskip("safetensors")
    return damage_scenes.models()


@pytest.mark.parametrize("seed", range(2))
def test_no_command_meets_damage_with_a_traceback_or_a_wrong_result(trials, tmp_path, seed):
    """A flipped bit in a weight was taken as it is, and one in its name ended in status 1."""
    check_all(trials, tmp_path, seed, 2)
