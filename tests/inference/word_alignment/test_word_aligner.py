import math

import numpy as np
import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.inference.word_alignment.word_aligner import Aligner, _TokenScores, encode_units

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
    "method, layer", [("attention", -1), ("similarity", 2), ("itermax", 1), ("transport", 0)]
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


def test_thousands_of_pairs_take_one_forward_pass_for_each_batch(encoder, monkeypatch):
    words = encoder.tokenizer.encode_words([["ja"] * (1 + i % 5) for i in range(3000)])
    rows = []
    real = encoder._states
    monkeypatch.setattr(encoder, "_states", lambda r, layer: rows.append(len(r)) or real(r, layer))
    tokens = 2 * sum(2 * len(sentence.ids) for sentence in words)
    assert len(list(Aligner(encoder, method="itermax").align(words, words))) == 3000
    assert sum(rows) == 2 * 3000
    assert len(rows) <= 1.1 * tokens / 8192 + 5


@pytest.mark.parametrize(
    "method, scores, links",
    [
        # As SimAlign, on (1 + cosine) / 2: 0.9 * 0.45 and 0.9 * 0.4 are more than 0.1.
        ("itermax", [[0.9, -0.2], [-0.1, -0.8]], [[0, 0], [0, 1], [1, 0]]),
        # No mass goes to or from the first two words.
        ("transport", [[0.0, 0.0], [0.0, 0.5]], [[1, 1]]),
        ("similarity", [[-0.9, -0.8], [-0.7, -0.2]], [[1, 1]]),
    ],
)
def test_links_of_scores_that_are_known(encoder, method, scores, links):
    everything = torch.ones(1, 2, dtype=torch.bool)
    found = _TokenScores(torch.tensor([scores]), everything, everything)
    assert Aligner(encoder, method=method)._extract(found)[0].nonzero().tolist() == links


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


@pytest.mark.parametrize("method", ["attention", "similarity", "itermax", "transport"])
def test_half_precision_scores_in_float32_what_is_near(encoder, checkpoint, pieces, method):
    half = type(encoder).load(checkpoint, device="cpu", dtype="bfloat16")
    pairs = list(zip(*pieces))[2:]
    near, exact = (Aligner(x, method=method)._score(pairs).scores for x in (half, encoder))
    assert near.dtype == exact.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=0.03, rtol=0.1)
    assert not torch.equal(near, exact)
    align(Aligner(half, method=method), pieces)


@pytest.mark.parametrize("method", ["attention", "similarity", "itermax", "transport"])
def test_states_that_are_not_finite_are_refused(encoder, edited_checkpoint, pieces, method):
    diverged = edited_checkpoint(
        lambda state: state["model"]["encoder.sentence_encoder.layers.1.fc2.bias"].fill_(math.nan)
    )
    broken = type(encoder).load(diverged, device="cpu")
    with pytest.raises(UserError, match="NaN or infinite"):
        align(Aligner(broken, method=method), pieces)


@pytest.mark.parametrize("method", ["similarity", "transport"])
def test_equal_sentences_align_to_themselves(encoder, method):
    words = encoder.tokenizer.encode_words(["wir sehen zwei alte Bäume".split()])
    [(_, links)] = Aligner(encoder, method=method, layer=1).align(words, words)
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


@pytest.mark.parametrize("reach", [None, 0.2])
def test_transport_scores_of_words_are_shares_of_their_mass(encoder, pieces, reach):
    aligner = Aligner(
        encoder, method="transport", layer=2, epsilon=0.3, iterations=200, reach=reach
    )
    x, y = pieces[0][0], pieces[1][0]
    scores = aligner.word_scores(x, y, (8, 8))  # the seventh and eighth source word have no subword
    plan = aligner._score([(x, y)]).scores[0].double().numpy()
    for i in range(8):
        for j in range(8):
            mass = sum(
                plan[p, q]
                for p in range(len(x.ids))
                for q in range(len(y.ids))
                if (x.words[p], y.words[q]) == (i, j)
            )
            smaller = min(np.mean(x.words == i), np.mean(y.words == j))
            assert scores[i, j] == pytest.approx(mass / smaller if smaller else 0, abs=1e-6)
    rows = plan[: len(x.ids)].sum(1) * len(x.ids)
    assert (rows == pytest.approx(np.ones(len(x.ids)), abs=1e-4)) == (reach is None)


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
