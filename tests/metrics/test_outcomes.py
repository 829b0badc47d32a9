import numpy as np
import pytest

from fairseq_amber.metrics.outcomes import accuracy_outcomes
from fairseq_amber.metrics.significance import scores_of


def test_outcomes_of_an_accuracy_are_one_or_zero_over_one():
    outcomes = accuracy_outcomes(np.array([True, False, True]))
    assert outcomes.dtype == np.float32
    assert outcomes.tolist() == [[1, 1], [0, 1], [1, 1]]
    assert scores_of({"de": {"score": outcomes}})["de"] == pytest.approx(200 / 3)
