import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.plot import plot_alignment


def size(path):
    from matplotlib.image import imread

    return imread(path).shape[:2]


def test_draws_an_alignment_that_grows_with_its_sentences(tmp_path):
    words = ["Yaşlı", "öğretmenler", "видят", "."]
    plot_alignment(np.eye(4), words, words, [(0, 0)], [tmp_path / "a.png"])
    plot_alignment(np.eye(4).repeat(4, 0), words * 4, words, [], [tmp_path / "b.png"])
    assert size(tmp_path / "b.png")[0] > size(tmp_path / "a.png")[0] + 500
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_picture_that_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(UserError, match="side without words"):
        plot_alignment(np.zeros((0, 1)), [], ["a"], [], [tmp_path / "a.png"])
    with pytest.raises(UserError, match=r"ends in \.png"):
        plot_alignment(np.eye(1), ["a"], ["a"], [], [tmp_path / "a.jpg2"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        plot_alignment(np.eye(1), ["a"], ["a"], [], [tmp_path / "file" / "a.png"])
