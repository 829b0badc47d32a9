import argparse

import pytest

from fairseq_amber.number_flags import count, positive, share


@pytest.mark.parametrize(
    "kind, good, bad, wanted",
    [
        (count, {"1": 1, "12": 12}, ["0", "-1", "1.5", "x", ""], "a whole number from 1 up"),
        (positive, {"0.1": 0.1, "2": 2}, ["0", "-1", "inf", "nan", "x"], "a number above 0"),
        (share, {"0": 0, "1": 1, "0.5": 0.5}, ["-0.1", "1.1", "nan"], "a number from 0 to 1"),
    ],
)
def test_numbers_within_their_range(kind, good, bad, wanted):
    assert {text: kind(text) for text in good} == good
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected {wanted}, not '{text}'"):
            kind(text)
