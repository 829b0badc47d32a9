import math

import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.defaults import METHODS
from fairseq_amber.inference.word_alignment.word_aligner import Aligner, encode_units

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


@pytest.mark.parametrize(
    "method, layer",
    [
        *(("attention", -1), ("similarity", 2), ("itermax", 1), ("transport", 0)),
        *(("softmax", 3), ("entmax", 1)),
    ],
)
def test_batches_agree_with_one_pair_at_a_time(encoder, pieces, method, layer):
    aligner = Aligner(encoder, method=method, layer=layer)
    together = align(aligner, pieces)
    assert together == align(aligner, pieces, batch_tokens=1)
    assert together[1] == []
    assert together[2] == [(0, 0)]
    for links, source, target in zip(together, SOURCES, TARGETS):
        for i, j in links:
            assert 0 <= i < len(source.split()) and 0 <= j < len(target.split())


def test_itermax_links_what_similarity_links_and_more(encoder, pieces):
    similarity = align(Aligner(encoder, method="similarity", layer=2), pieces)
    itermax = align(Aligner(encoder, method="itermax", layer=2, iterations=4), pieces)
    assert all(set(links) <= set(more) for links, more in zip(similarity, itermax))
    assert itermax != similarity
    assert align(Aligner(encoder, method="itermax", layer=2, iterations=1), pieces) == similarity


@pytest.mark.parametrize("method", ["similarity", "transport", "entmax"])
def test_several_layers_take_one_pass_and_are_those_of_each_alone(
    encoder, pieces, method, monkeypatch
):
    rows = []
    real = encoder._states
    monkeypatch.setattr(encoder, "_states", lambda r, layers: rows.append(r) or real(r, layers))
    found = dict(Aligner(encoder, method=method).align_layers(*pieces, [0, 3, 1], scores=True))
    assert len(rows) == 1
    for place, layer in enumerate((0, 3, 1)):
        alone = align(Aligner(encoder, method=method, layer=layer), pieces)
        assert [found[i][place].links for i in range(len(SOURCES))] == alone
        assert all(len(a.scores) == len(a.links) for a in (found[i][place] for i in found))


def test_scores_of_links_are_those_of_their_words(encoder, pieces):
    aligner = Aligner(encoder, method="similarity", layer=2)
    found = dict(aligner.align_layers(*pieces, [2], scores=True))
    [alignment] = found[0]
    matrix = aligner.word_scores(pieces[0][0], pieces[1][0], (7, 8))
    assert alignment.scores == pytest.approx([matrix[link] for link in alignment.links], abs=1e-6)
    assert found[1] == [([], [])]


def test_the_default_layer_is_two_thirds_of_the_depth(encoder):
    assert [Aligner(encoder, method=m).layer for m in METHODS] == [2, 2, 3, 2, 2, 2]


def test_thousands_of_pairs_take_one_forward_pass_for_each_batch(encoder, monkeypatch):
    words = encoder.tokenizer.encode_words([["ja"] * (1 + i % 5) for i in range(3000)])
    rows = []
    real = encoder._states
    monkeypatch.setattr(encoder, "_states", lambda r, layer: rows.append(len(r)) or real(r, layer))
    tokens = 2 * sum(2 * len(sentence.ids) for sentence in words)
    assert len(list(Aligner(encoder, method="itermax").align(words, words))) == 3000
    assert sum(rows) == 2 * 3000
    assert len(rows) <= 1.1 * tokens / 8192 + 5


@pytest.mark.parametrize("method", ["attention", "similarity"])
def test_a_batch_holds_as_many_tokens_as_it_may(encoder, monkeypatch, method):
    """Special tokens and padding included."""
    sides = encoder.tokenizer.encode_words([["ja"] * (1 + i % 8) for i in range(100)])
    sizes = []
    real = encoder._model.forward
    monkeypatch.setattr(
        encoder._model, "forward", lambda x, **kwargs: sizes.append(x.numel()) or real(x, **kwargs)
    )
    assert len(list(Aligner(encoder, method=method).align(sides, sides, batch_tokens=290))) == 100
    assert 200 < max(sizes) <= 290


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_scores_in_float32_what_is_near(encoder, checkpoint, pieces, method):
    half = type(encoder).load(checkpoint, device="cpu", dtype="bfloat16")
    pairs = list(zip(*pieces))[2:]
    aligners = [Aligner(x, method=method, layer=-1, temperature=0.5) for x in (half, encoder)]
    near, exact = (next(aligner._found(pairs, [3])).scores for aligner in aligners)
    assert near.dtype == exact.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=0.03, rtol=0.1)
    assert not torch.equal(near, exact)
    align(Aligner(half, method=method), pieces)


@pytest.mark.parametrize("method", METHODS)
def test_states_that_are_not_finite_are_refused(encoder, edited_checkpoint, pieces, method):
    diverged = edited_checkpoint(
        lambda state: state["model"]["encoder.sentence_encoder.layers.1.fc2.bias"].fill_(math.nan)
    )
    broken = type(encoder).load(diverged, device="cpu")
    with pytest.raises(UserError, match="NaN or infinite"):
        align(Aligner(broken, method=method), pieces)  # layer 2 of 3 is the default of most


@pytest.mark.parametrize("method", ["similarity", "transport", "softmax", "entmax"])
def test_equal_sentences_align_to_themselves(encoder, method):
    words = encoder.tokenizer.encode_words(["wir sehen zwei alte Bäume".split()])
    [(_, links)] = Aligner(encoder, method=method, layer=1).align(words, words)
    assert links == [(i, i) for i in range(5)]


def test_subwords_are_numbered_as_prepare_stores_them(encoder, data_folder):
    from fairseq_amber.preparation.corpus.encode import Encoder as PreparationEncoder
    from fairseq_amber.preparation.corpus.settings import FilterSettings
    from fairseq_amber.preparation.corpus.vocabulary import load_vocabulary
    from fairseq_amber.tokenizers.fairseq_order import EOS
    from fairseq_amber.tokenizers.subwords import find_tokenizer

    lines = [*SOURCES, "ein  Haus\u3000am\tSee", "木が見える。ein", "schläft\u2028heute"]
    dictionary = (data_folder / "dict.txt").read_bytes()
    vocabulary = load_vocabulary(find_tokenizer(data_folder), dictionary)
    stored = PreparationEncoder(vocabulary, FilterSettings()).encode_aligned([lines], "test")
    ends = np.flatnonzero(stored.ids[0] == EOS)
    expected = np.split(stored.ids[0], ends + 1)[:-1]
    units = encode_units(encoder.tokenizer, lines, "subwords")
    assert [unit.ids.tolist() for unit in units] == [row[:-1].tolist() for row in expected]
    assert [unit.words.tolist() for unit in units] == [list(range(len(u.ids))) for u in units]


def test_links_of_subwords_are_those_of_words_before_they_are_joined(encoder, pieces):
    aligner = Aligner(encoder, method="similarity", layer=2)
    units = [encode_units(encoder.tokenizer, side, "subwords") for side in (SOURCES, TARGETS)]
    by_subword, by_word = align(aligner, units), align(aligner, pieces)
    for links, words, x, y in zip(by_subword, by_word, *pieces):
        assert sorted({(x.words[i], y.words[j]) for i, j in links}) == words


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
