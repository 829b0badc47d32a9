import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.layer_curves import layer_curves, plot_layers
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
    with pytest.raises(UserError, match="damaged scores of layers"):
        layer_curves([plain])


def test_layers_are_drawn_in_both_formats(tmp_path):
    curves = layer_curves([sweep("A", pair, [1, 50, 3]) for pair in ("de-en", "fr-en")])
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    plot_layers(curves, "accuracy", paths)
    svg = paths[1].read_text()
    assert all(text in svg for text in ("de-en", "mean", "accuracy, %", "layer"))
    assert paths[0].stat().st_size > 5000
