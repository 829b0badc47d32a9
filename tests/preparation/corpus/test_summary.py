"""What the user is told after a preparation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.preparation.corpus.binarize import Counts
from fairseq_amber.preparation.corpus.pipeline import Preparation
from fairseq_amber.preparation.corpus.summary import describe, unknown_rates, warnings
from fairseq_amber.preparation.corpus.vocabulary import Vocabulary
from fairseq_amber.tokenizers.subwords import TokenizerFiles

CORPORA = {
    "mono/de/train": Counts(1200, 1100, {"empty": 90, "ratio": 10}, [5000], [0]),
    "mono/zh/train": Counts(10, 10, {}, [100], [3]),
    "mono/zh/valid": Counts(5, 5, {}, [50], [0]),
    "parallel/de-en/train": Counts(7, 7, {}, [40, 0], [0, 0]),
}


def preparation(sentences: int = 100, unlisted: int = 0) -> Preparation:
    vocabulary = Vocabulary(TokenizerFiles({}, ""), b"", 8000, np.zeros(0, int), unlisted)
    return Preparation(CORPORA, vocabulary, sentences, 2.0)


def test_the_table_has_a_row_for_each_corpus():
    text = describe(preparation(), Path("data-bin/x"))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["mono/de/train"] == "1,200 1,100 90 0 10 0 5,000 0.00%".split()
    assert rows["parallel/de-en/train"][-6:] == "40 / 0 0.00% / 0.00%".split()
    assert "100 sentences encoded in 2.0 s: 50 sentences/s" in text
    assert text.endswith("data-bin/x: 8,000 entries in the dictionary, without <mask>")


def test_a_run_without_work_says_so():
    assert "nothing to do" in describe(preparation(sentences=0), Path("x"))


def test_warnings_name_the_corpora():
    unknown, unvalidated = warnings(preparation())
    assert unknown.startswith("mono/zh/train: 3.0% of the subwords are <unk>")
    assert unvalidated.startswith("no validation text for mono/de, parallel/de-en; ")
    assert warnings(preparation(unlisted=1234))[-1].startswith("1,234 pieces of the tokenizer")


def test_a_side_without_subwords_has_no_unknown_ones():
    assert unknown_rates(CORPORA["parallel/de-en/train"]) == [0, 0]
    assert unknown_rates(CORPORA["mono/zh/train"]) == [pytest.approx(0.03)]
