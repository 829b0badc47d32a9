"""Fixed words: by kind and concept."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus.languages.fixed_words import read_fixed_words
from fairseq_amber.errors import UserError


def test_words_by_kind(tmp_path):
    path = tmp_path / "fixed_words.tsv"
    rows = ["kind\tconcept\twords", "join\tand\tund", "time\tnow\tjetzt/1", "time\tsoon\tbald/1"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert read_fixed_words(path) == {
        "join": {"and": "und"},
        "time": {"now": "jetzt/1", "soon": "bald/1"},
    }
    path.write_text("\n".join([*rows, "colour\tred\trot"]) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"fixed_words\.tsv:5: kind: colour is not one of numeral"):
        read_fixed_words(path)
