import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.outcomes import outcomes_path, read_outcomes, write_outcomes
from fairseq_amber.metrics.outcomes import accuracy_outcomes


def test_outcomes_come_back_as_they_were(tmp_path):
    path = outcomes_path(tmp_path / "r.v1.json")
    assert path.name == "r.v1.items.npz" and outcomes_path("r.v1").name == "r.v1.items.npz"
    correct = np.array([True, False, True])
    counts = np.array([[3, 4], [0, 5]])
    write_outcomes(
        {"de-en": {"forward": accuracy_outcomes(correct)}, "a/b": {"score": counts}}, path
    )
    outcomes = read_outcomes(path)
    assert outcomes["de-en"]["forward"].tolist() == [[1, 1], [0, 1], [1, 1]]
    assert outcomes["a/b"]["score"].tolist() == counts.tolist()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_same_outcomes_are_the_same_bytes(tmp_path):
    for name in "ab":
        write_outcomes({"de": {"score": np.ones((3, 2))}}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_holds_no_outcomes_is_refused(tmp_path):
    path = tmp_path / "r.items.npz"
    with pytest.raises(UserError, match=r"r\.items\.npz is missing"):
        read_outcomes(path)
    path.write_text("text")
    with pytest.raises(UserError, match="is not a file of outcomes"):
        read_outcomes(path)
    np.savez(path, **{"de/score": np.full((3, 2), np.nan)})
    with pytest.raises(UserError, match="is not a file of outcomes"):
        read_outcomes(path)
    np.savez(path, **{"de/score": np.zeros(3)})
    with pytest.raises(UserError, match="is not a file of outcomes"):
        read_outcomes(path)
