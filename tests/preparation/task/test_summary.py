"""The table of what was prepared, and the warning of unknown subwords."""

import numpy as np
import pytest

from fairseq_amber.preparation.task.classification import SentencePairs
from fairseq_amber.preparation.task.summary import Counts, count, describe, warn_of_unknown
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN
from raw_task_files import write


def test_what_is_counted(tmp_path):
    examples = SentencePairs([write(tmp_path, "a\tb\t1\nc\td\t1\n")], "train")
    examples.settle_labels(["0", "1"], "here")
    arrays = {
        "first_tokens": np.array([5, UNKNOWN, 6]),
        "first_lengths": np.array([2, 1]),
        "second_tokens": np.array([7, 8]),
        "second_lengths": np.array([1, 1]),
        "labels": np.array([1, 1], np.int16),
    }
    counts = count(examples, arrays, ["0", "1"])
    assert counts == Counts(2, {}, tokens=5, unknown=1, labels={"0": 0, "1": 2})


def test_the_table():
    counts = {
        ("train", "en"): Counts(1000, {"words": 5000}, 8000, 80, {"X": 5000}),
        ("test", "de"): Counts(1, {"words": 2}, 0, 0, {"X": 0, "blank": 2}),
    }
    rows = [line.split() for line in describe("sentences", counts).splitlines()]
    assert rows == [
        ["sentences", "words", "subwords", "unknown", "X", "blank"],
        ["train", "en", "1,000", "5,000", "8,000", "1.00%", "5,000", "0"],
        ["test", "de", "1", "2", "0", "0.00%", "0", "2"],
    ]


@pytest.mark.parametrize("unknown, warned", [(1, False), (2, True)])
def test_many_unknown_subwords_are_named(unknown, warned, caplog, capsys):
    warn_of_unknown({("test", "zh"): Counts(1, {}, 100, unknown, {})})
    text = caplog.text + capsys.readouterr().err
    assert ("test zh: 2.0% of the subwords are <unk>; give a --tokenizer" in text) == warned
