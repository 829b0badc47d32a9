import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.files.results import items_path, read_items, write_items
from fairseq_amber.metrics.outcomes import accuracy_items


def test_outcomes_come_back_as_they_were(tmp_path):
    path = items_path(tmp_path / "r.v1.json")
    assert path.name == "r.v1.items.npz" and items_path("r.v1").name == "r.v1.items.npz"
    correct = np.array([True, False, True])
    counts = np.array([[3, 4], [0, 5]])
    write_items({"de-en": {"forward": accuracy_items(correct)}, "a/b": {"score": counts}}, path)
    items = read_items(path)
    assert items["de-en"]["forward"].tolist() == [[1, 1], [0, 1], [1, 1]]
    assert items["a/b"]["score"].tolist() == counts.tolist()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_same_outcomes_are_the_same_bytes(tmp_path):
    for name in "ab":
        write_items({"de": {"score": np.ones((3, 2))}}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_holds_no_outcomes_is_refused(tmp_path):
    path = tmp_path / "r.items.npz"
    with pytest.raises(UserError, match=r"r\.items\.npz is missing"):
        read_items(path)
    path.write_text("text")
    with pytest.raises(UserError, match="holds no outcomes"):
        read_items(path)
    np.savez(path, **{"de/score": np.zeros(3)})
    with pytest.raises(UserError, match="holds no outcomes"):
        read_items(path)
