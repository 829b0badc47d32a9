import argparse

import pytest

from fairseq_amber.number_flags import (
    number,
    positive,
    positive_int32,
    positive_share,
    positive_whole_number,
    process_count,
    ratio_limit,
    seed,
    share,
    whole_number,
)


@pytest.mark.parametrize(
    "kind, good, bad, wanted",
    [
        (whole_number, {"1": 1, "-12": -12, "0": 0}, ["1.5", "x", ""], "a whole number"),
        (
            positive_whole_number,
            {"1": 1, "12": 12},
            ["0", "-1", "1.5", "x", ""],
            "a whole number from 1 up",
        ),
        (
            seed,
            {"-1": -1, str(2**64 - 1): 2**64 - 1},
            [str(2**64), str(-(2**63) - 1), "x"],
            "a whole number of at most 64 bits",
        ),
        (
            positive_int32,
            {"1": 1, "2147483647": 2147483647},
            ["0", "2147483648", "x"],
            "a whole number from 1 to 2147483647",
        ),
        (process_count, {"1": 1, "1024": 1024}, ["0", "1025"], "a whole number from 1 to 1024"),
        (number, {"-0.5": -0.5, "2": 2}, ["nan", "x", ""], "a number"),
        (positive, {"0.1": 0.1, "2": 2}, ["0", "-1", "inf", "nan", "x"], "a number above 0"),
        (share, {"0": 0, "1": 1, "0.5": 0.5}, ["-0.1", "1.1", "nan"], "a number from 0 to 1"),
        (
            positive_share,
            {"1": 1, "0.5": 0.5},
            ["0", "-0.1", "1.1", "nan", "x"],
            "a number above 0 and up to 1",
        ),
        (
            ratio_limit,
            {"0": 0, "1": 1, "4.5": 4.5},
            ["0.5", "-1", "nan", "x"],
            "a ratio from 1 up, or 0 for no limit",
        ),
    ],
)
def test_numbers_within_their_range(kind, good, bad, wanted):
    assert {text: kind(text) for text in good} == good
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected {wanted}, not '{text}'"):
            kind(text)
