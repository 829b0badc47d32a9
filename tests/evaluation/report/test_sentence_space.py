import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.sentence_space import (
    Plane,
    check_languages,
    plot_space,
    project,
)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_projection_keeps_groups_apart_and_does_not_see_lengths(method):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, 1, 16))
    groups = centres + 0.05 * rng.normal(size=(2, 12, 16))
    vectors = groups.reshape(24, 16)
    places, kept = project(vectors, method)
    assert ("% of the variance" in kept or "perplexity 8" in kept) and places.shape == (24, 2)
    one, other = places[:12], places[12:]
    between = np.linalg.norm(one.mean(0) - other.mean(0))
    assert between > 2 * max(
        np.linalg.norm(side - side.mean(0), axis=1).mean() for side in (one, other)
    )
    if method == "pca":
        scaled, _ = project(vectors * rng.uniform(1, 9, (24, 1)), method)
        assert scaled == pytest.approx(places, abs=1e-9)
    assert (project(vectors, method)[0] == places).all()


def test_too_little_or_too_much_to_draw_is_refused():
    with pytest.raises(UserError, match="too few"):
        project(np.zeros((3, 4)), "pca")
    with pytest.raises(UserError, match="8 languages cannot be told apart .* --space-pairs"):
        check_languages([str(i) for i in range(8)] * 2)
    check_languages([str(i) for i in range(7)] * 2)


@pytest.mark.parametrize("count, joined", [(10, True), (201, False)])
def test_few_translations_are_joined_by_lines(tmp_path, count, joined):
    rng = np.random.default_rng(0)
    pairs = np.arange(2 * count).reshape(2, count).T
    languages = ["de"] * count + ["en"] * count
    plane = Plane(rng.normal(size=(2 * count, 2)), "t-SNE", languages, pairs)
    plot_space({"one": plane, "two": plane}, [tmp_path / "a.svg", tmp_path / "a.png"])
    svg = (tmp_path / "a.svg").read_text()
    assert ("translations" in svg) is joined
    assert svg.count("LineCollection") == 2 * joined
