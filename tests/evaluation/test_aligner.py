import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.aligner import Aligner

SOURCES = ["ein rotes Haus steht am See .", "", "ja", "der Hund schläft heute"]
TARGETS = ["a red house stands by the lake .", "yes", "yes", "the dog sleeps today"]


@pytest.fixture(scope="module")
def pieces(encoder):
    return [
        encoder.tokenizer.encode_words([line.split() for line in side])
        for side in (SOURCES, TARGETS)
    ]


def align(aligner, pieces, **kwargs):
    found = dict(aligner.align(*pieces, **kwargs))
    assert sorted(found) == list(range(len(SOURCES)))
    return [found[i] for i in range(len(SOURCES))]


@pytest.mark.parametrize("method, layer", [("attention", -1), ("similarity", 2)])
def test_batches_agree_with_one_pair_at_a_time(encoder, pieces, method, layer):
    aligner = Aligner(encoder, method=method, layer=layer)
    together = align(aligner, pieces)
    assert together == align(aligner, pieces, batch_tokens=1)
    assert together[1] == []
    assert together[2] == [(0, 0)]
    for links, source, target in zip(together, SOURCES, TARGETS):
        for i, j in links:
            assert 0 <= i < len(source.split()) and 0 <= j < len(target.split())


def test_equal_sentences_align_to_themselves_by_similarity(encoder):
    words = encoder.tokenizer.encode_words(["wir sehen zwei alte Bäume".split()])
    [(_, links)] = Aligner(encoder, method="similarity", layer=1).align(words, words)
    assert links == [(i, i) for i in range(5)]


@pytest.mark.parametrize("method, layer", [("attention", -1), ("similarity", 1)])
def test_word_scores_are_the_highest_of_their_subwords(encoder, pieces, method, layer):
    aligner = Aligner(encoder, method=method, layer=layer)
    scores = aligner.word_scores(pieces[0][0], pieces[1][0], (7, 8))
    assert scores.shape == (7, 8)
    token_scores = aligner._score([(pieces[0][0], pieces[1][0])]).scores[0]
    i, j = pieces[0][0].words, pieces[1][0].words
    block = token_scores[: len(i), : len(j)].numpy()
    assert scores[1, 3] == pytest.approx(block[np.ix_(i == 1, j == 3)].max())


def test_words_beyond_the_longest_row_are_counted_and_unlinked(encoder):
    long = encoder.tokenizer.encode_words([["Haus"] * 60])
    aligner = Aligner(encoder)
    [(_, links)] = aligner.align(long, long)
    kept = 60 - aligner.cut_words(long[0], long[0]) // 2
    assert 0 < kept < 60
    assert all(max(link) < kept + 1 for link in links)
    short = encoder.tokenizer.encode_words([["Haus"]])
    assert aligner.cut_words(short[0], short[0]) == 0


def test_attention_has_the_last_layer_alone(encoder):
    with pytest.raises(UserError, match="--method similarity"):
        Aligner(encoder, layer=1)
    with pytest.raises(UserError, match="--method magic"):
        Aligner(encoder, method="magic")
