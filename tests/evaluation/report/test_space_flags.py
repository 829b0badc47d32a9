import argparse

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.report.space_flags import add_space_arguments, sentence_planes


@pytest.fixture
def planes(checkpoint):
    def run(*flags):
        parser = argparse.ArgumentParser()
        add_space_arguments(parser)
        args = parser.parse_args([str(flag) for flag in flags])
        return sentence_planes(args, {"A": checkpoint, "B": checkpoint})

    return run


def test_sentences_are_chosen_evenly_and_translations_are_paired(planes, corpus):
    found = planes("--space-folder", corpus, "--space-sentences", 3)
    assert list(found) == ["A", "B"]
    plane = found["A"]
    assert plane.languages == ["de"] * 3 + ["en"] * 3 + ["en"] * 3 + ["de"] * 3
    assert plane.pairs.tolist() == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8, 11]]
    assert plane.places.shape == (12, 2) and plane.method.startswith("PCA")
    # en-de holds the sentences of de-en, source and target exchanged
    assert plane.places[:3] == pytest.approx(plane.places[9:], abs=1e-5)
    assert np.array_equal(plane.places, found["B"].places)


def test_the_layer_and_the_method_are_those_of_the_flags(planes, corpus):
    flags = ["--space-folder", corpus, "--space-pairs", "de-en"]
    last, first = (planes(*flags, "--space-layer", layer)["A"] for layer in (3, 1))
    assert np.array_equal(planes(*flags)["A"].places, last.places)
    assert not np.allclose(first.places, last.places)
    assert planes(*flags, "--space-method", "tsne")["A"].method.startswith("t-SNE")


def test_a_prefix_is_put_in_front_of_each_sentence(planes, corpus):
    flags = ["--space-folder", corpus, "--space-pairs", "de-en"]
    prefixed, plain = planes(*flags, "--space-prefix", "ja ja ")["A"], planes(*flags)["A"]
    assert not np.allclose(prefixed.places, plain.places)
    for path in corpus.glob("test.de-en.*"):
        path.write_text("".join(f"ja ja {line}\n" for line in path.read_text().splitlines()))
    assert np.array_equal(planes(*flags)["A"].places, prefixed.places)


def test_more_languages_than_colours_are_refused_before_a_checkpoint_is_read(planes, tmp_path):
    for pair in ("ab", "cd", "ef", "gh"):
        for language in pair:
            (tmp_path / f"test.{'-'.join(pair)}.{language}").write_text("x\ny\n")
    with pytest.raises(UserError, match="8 languages .* --space-pairs"):
        planes("--space-folder", tmp_path)
