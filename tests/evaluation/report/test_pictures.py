import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.layer_curves import layer_curves, plot_layers
from fairseq_amber.evaluation.report.sentence_space import (
    Plane,
    check_languages,
    plot_space,
    project,
)
from fairseq_amber.files.results import Result


def sweep(system, pair, scores):
    parts = {"score": scores[-1], "n": 9, "layers": {str(i): s for i, s in enumerate(scores)}}
    return Result.from_languages("retrieval", "accuracy", system, {pair: parts}, {})


def test_layers_are_averaged_over_runs_and_pairs():
    results = [
        sweep("A", "de-en", [1, 2, 30]),
        sweep("A", "de-en", [3, 4, 50]),
        sweep("A", "tr-en", [5, 6]),
        sweep("B", "de-en", [9.5]),
    ]
    curves = layer_curves(results)
    assert list(curves) == ["mean", "de-en", "tr-en"]
    assert curves["de-en"] == {"A": {0: 2, 1: 3, 2: 40}, "B": {0: 9.5}}
    assert curves["mean"] == {"A": {0: 3.5, 1: 4.5}}  # the layers and the systems of all pairs
    assert list(layer_curves(results[:1])) == ["de-en"]
    assert list(layer_curves(results[2:])) == ["tr-en", "de-en"]


def test_results_without_layers_have_no_curves_and_damaged_ones_are_refused():
    plain = Result.from_languages("r", "accuracy", "A", {"de-en": {"score": 1.0, "n": 1}}, {})
    assert layer_curves([plain]) == {}
    plain.per_language["de-en"]["layers"] = [1, 2]
    with pytest.raises(UserError, match="layers that are none"):
        layer_curves([plain])


def test_layers_are_drawn_in_both_formats(tmp_path):
    curves = layer_curves([sweep("A", pair, [1, 50, 3]) for pair in ("de-en", "fr-en")])
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    plot_layers(curves, "accuracy", paths)
    svg = paths[1].read_text()
    assert all(text in svg for text in ("de-en", "mean", "accuracy, %", "layer"))
    assert paths[0].stat().st_size > 5000


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
