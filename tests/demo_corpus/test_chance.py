"""Random choices: the same for a seed on every Python, and as likely as they should be."""

from __future__ import annotations

from collections import Counter

from fairseq_amber.demo_corpus.chance import Chance


def test_a_seed_decides_the_choices():
    chance = Chance("1/1/train")
    assert [chance.below(100) for _ in range(5)] == [74, 21, 43, 67, 7]
    assert chance.pick("abcdefgh") == "f"


def test_probabilities():
    chance = Chance("probabilities")
    assert 0.27 < sum(chance.is_true(0.3) for _ in range(5000)) / 5000 < 0.33
    counts = Counter(chance.weighted([("a", 1), ("b", 0), ("c", 3)]) for _ in range(5000))
    assert counts["b"] == 0 and 0.22 < counts["a"] / 5000 < 0.28
    assert set(Counter(chance.pick("abc") for _ in range(100))) == set("abc")
