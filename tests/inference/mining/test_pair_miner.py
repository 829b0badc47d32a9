import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.mining.pair_miner import Miner
from fairseq_amber.inference.mining.texts import MiningSet, numbered
from fairseq_amber.inference.mining.unit_vectors import UnitVectors


@pytest.fixture
def sides():
    """Six sources, and the same six in reverse order with a little noise."""
    generator = np.random.default_rng(0)
    source = generator.normal(size=(6, 8)).astype(np.float32)
    target = source[::-1] + 0.01 * generator.normal(size=(6, 8)).astype(np.float32)
    return UnitVectors(source), UnitVectors(target)


def texts(tmp_path, gold):
    return MiningSet(*(numbered(tmp_path / name, 6) for name in ("x", "y")), np.array(gold))


def test_scores_and_outcomes_at_a_threshold(sides, tmp_path):
    mined = Miner(neighbours=2).mine(texts(tmp_path, [[0, 5], [1, 4], [2, 0]]), *sides)
    assert sorted(zip(mined.pairs.source, mined.pairs.target)) == [(i, 5 - i) for i in range(6)]
    scores = mined.scores(float("-inf"))
    counts = {name: scores[name] for name in ("mined", "n", "precision", "recall", "score")}
    assert counts == pytest.approx(
        {"mined": 6, "n": 3, "precision": 100 / 3, "recall": 200 / 3, "score": 400 / 9}
    )
    right, total = mined.outcomes(float("-inf")).T
    assert right.tolist() == [2, 2, 0, 0, 0, 0] and total.tolist() == [2, 2, 2, 1, 1, 1]
    assert "search_recall" not in scores
    assert mined.scores(float("inf"))["score"] == 0


def test_vectors_of_two_sizes_and_texts_without_candidates_are_refused(sides, tmp_path):
    few = UnitVectors(np.ones((6, 3), dtype=np.float32))
    with pytest.raises(UserError, match="8 dimensions but those of .*y 3"):
        Miner().mine(texts(tmp_path, [[0, 0]]), sides[0], few)
    opposite = UnitVectors(np.ones((6, 3), dtype=np.float32) * -1)
    mined = Miner().mine(texts(tmp_path, [[0, 0]]), few, opposite)
    with pytest.raises(UserError, match="use --margin distance"):
        mined.best_threshold()
