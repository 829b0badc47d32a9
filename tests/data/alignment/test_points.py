"""The points of sentences, against words that are joined from their pieces as strings."""

import math

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from fairseq_amber.data import token_file
from fairseq_amber.data.alignment.needs import PointSettings
from fairseq_amber.data.alignment.points import PointFinder, inverse_document_frequencies
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.whole_words import word_boundaries

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SENTENCEPIECE = [*"▁a ▁b ▁c d e f . 我 们 ▁ カ ▁你 iP".split()]
WORDPIECE = [*"a b c ##d ##e ##f . 我 们 , カ ##你 iP".split()]
UNSPACED = set("我们カ你")


def symbols_of(pieces):
    return [*SPECIAL, *pieces, "<mask>"]


def boundaries_of(pieces):
    symbols = symbols_of(pieces)
    return word_boundaries(symbols, Specials(0, 2, 1, len(symbols) - 1))


def finder(pieces=SENTENCEPIECE, tables=None, **settings):
    settings = PointSettings(**settings)
    return PointFinder(settings, boundaries_of(pieces) if settings.words else None, tables)


def encoded(text, pieces):
    return np.array([symbols_of(pieces).index(piece) for piece in text.split()])


def slow_words(sentence, pieces):
    """Positions of the pieces of each word, by the letters of the pieces."""
    words = []
    symbols = symbols_of(pieces)
    before = ""
    for position, token in enumerate(sentence):
        piece = symbols[token]
        letters = piece.lstrip("▁").replace("##", "")
        continues = piece.startswith("##") if pieces is WORDPIECE else not piece.startswith("▁")
        alone = before and UNSPACED & {letters[:1], before[-1:]}  # a bare mark has no letters
        if not words or not continues or alone:
            words.append([])
        words[-1].append(position)
        before = letters
    return words


def slow_points(sentence, pieces, settings):
    """(positions in <s> x </s>, their groups of positions in x; None for a special token)."""
    if settings.words:
        groups = slow_words(sentence, pieces)
    else:
        groups = [[position] for position in range(len(sentence))]
    points = [(group[-1] + 1, group) for group in groups]
    if settings.special_tokens:
        points = [(0, None), *points, (len(sentence) + 1, None)]
    return points


def slow_side(sentences, pieces, settings, idf):
    """For each problem: (row, position) of its points, and their weights."""
    of_sentences = []
    for row, sentence in enumerate(sentences):
        points = slow_points(sentence, pieces, settings)
        masses = [
            max(idf[sentence[at]] for at in group) if settings.idf and group else 1.0
            for _, group in points
        ]
        masses = [mass / sum(masses) for mass in masses]
        of_sentences.append(([(row, at) for at, _ in points], masses))
    if not settings.pooled:
        return of_sentences
    places = [place for places, _ in of_sentences for place in places]
    weights = []
    for _, masses in of_sentences:
        share = 1 / len(sentences) if settings.equal_sentences else len(masses) / len(places)
        weights += [share * mass for mass in masses]
    return [(places, weights)]


@pytest.mark.parametrize(
    "pieces, text, last",
    [
        (SENTENCEPIECE, "▁a d e ▁b ▁c f .", [3, 4, 7]),
        (SENTENCEPIECE, "d ▁b e", [1, 3]),
        (SENTENCEPIECE, "▁a", [1]),
        (SENTENCEPIECE, "▁你 我 们 . ▁a d", [1, 2, 3, 4, 6]),
        (SENTENCEPIECE, "▁ 我 iP d カ e", [2, 4, 5, 6]),
        (SENTENCEPIECE, "▁a <unk> d ▁b", [3, 4]),
        (WORDPIECE, "a ##d ##e b c ##f .", [3, 4, 6, 7]),
        (WORDPIECE, "##d b ##e", [1, 3]),
        (WORDPIECE, "iP ##d 我 们 ##你 ##d", [2, 3, 4, 5, 6]),
    ],
)
def test_a_word_stands_at_its_last_subword(pieces, text, last):
    sentence = encoded(text, pieces)
    assert finder(pieces).positions(sentence).tolist() == last
    with_specials = finder(pieces, special_tokens=True).positions(sentence).tolist()
    assert with_specials == [0, *last, len(sentence) + 1]
    every = list(range(1, len(sentence) + 1))
    assert finder(pieces, words=False).positions(sentence).tolist() == every
    alone = finder(pieces, words=False, special_tokens=True).positions(sentence).tolist()
    assert alone == list(range(len(sentence) + 2))


@pytest.fixture
def sentences():
    """``(count, seed)``: random ones of 1 to 12 pieces."""

    def draw(count, seed):
        rng = np.random.default_rng(seed)
        tokens = np.arange(3, 4 + len(SENTENCEPIECE))  # with <unk>
        return [rng.choice(tokens, rng.integers(1, 13)) for _ in range(count)]

    return draw


SETTINGS = [
    dict(),
    dict(words=False),
    dict(special_tokens=True),
    dict(words=False, special_tokens=True),
    dict(idf=True),
    dict(idf=True, words=False),
    dict(idf=True, special_tokens=True),
]


@pytest.mark.parametrize("pieces", [SENTENCEPIECE, WORDPIECE], ids=["sentencepiece", "wordpiece"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scope", [{}, {"pooled": True}, {"pooled": True, "equal_sentences": True}])
def test_a_batch_equals_the_slow_twin(sentences, pieces, settings, scope):
    rng = np.random.default_rng(5)
    size = len(symbols_of(pieces))
    tables = {language: 1 + rng.random(size) * 5 for language in ("de", "en")}
    settings = PointSettings(**settings, **scope)
    for seed, count in enumerate((1, 2, 9)):
        x, y = sentences(count, 2 * seed), sentences(count, 2 * seed + 1)
        width = max(len(sentence) for sentence in x + y) + 2
        batch = finder(pieces, tables, **settings._asdict()).batch("de-en", x, y)
        for side, rows, language in (("source", x, "de"), ("target", y, "en")):
            expected = slow_side(rows, pieces, settings, tables[language])
            index, weights, mask = (
                batch[f"{side}_{name}"].numpy() for name in ("index", "weights", "mask")
            )
            assert index.dtype == np.int64 and weights.dtype.kind == "f" and mask.dtype == bool
            assert index.shape == weights.shape == mask.shape
            assert mask.shape == (len(expected), max(len(places) for places, _ in expected))
            assert not index[~mask].any() and not weights[~mask].any()
            for problem, (places, masses) in enumerate(expected):
                inside = mask[problem]
                assert inside[: len(places)].all() and inside.sum() == len(places)
                found = [divmod(at, width) for at in index[problem, inside].tolist()]
                assert found == places
                np.testing.assert_allclose(weights[problem, inside], masses, rtol=1e-6)
            np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
        assert batch["targets"] == int(batch["target_mask"].sum())
        assert type(batch["targets"]) is int


@pytest.mark.parametrize(
    "pair, language, side",
    [
        ("de-en", "en", 1),
        ("en-fr", "en", 0),
        ("de-fr", "en", 1),
        ("de-fr", "de", 0),
        ("de-fr", "fr", 1),
    ],
)
def test_the_target_side_is_that_of_its_language(sentences, pair, language, side):
    rng = np.random.default_rng(2)
    languages = pair.split("-")
    tables = {name: 1 + rng.random(len(symbols_of(SENTENCEPIECE))) for name in languages}
    sides = sentences(4, 0), sentences(4, 1)
    batch = finder(target_language=language, tables=tables, idf=True).batch(pair, *sides)
    assert batch["target_side"] == side
    settings = PointSettings(idf=True)
    for name, at in (("source", 1 - side), ("target", side)):
        expected = slow_side(sides[at], SENTENCEPIECE, settings, tables[languages[at]])
        weights, mask = batch[f"{name}_weights"], batch[f"{name}_mask"]
        assert mask.sum(dim=1).tolist() == [len(places) for places, _ in expected]
        masses = [mass for _, of_problem in expected for mass in of_problem]
        np.testing.assert_allclose(weights[mask], masses, rtol=1e-6)


def write(path, sentences):
    builder = MMapIndexedDatasetBuilder(f"{path}.bin", dtype=np.uint16)
    for sentence in sentences:
        builder.add_item(torch.tensor([*sentence, 2]))
    builder.finalize(f"{path}.idx")
    return TokenFile(path)


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize("pieces", [SENTENCEPIECE, WORDPIECE], ids=["sentencepiece", "wordpiece"])
def test_a_file_is_counted_as_its_sentences_are_found(
    sentences, tmp_path, monkeypatch, pieces, at_once
):
    monkeypatch.setattr(token_file, "_COUNTED_TOGETHER", at_once)
    drawn = sentences(50, 3)
    file = write(tmp_path / "train", drawn)
    for words in (True, False):
        for special_tokens in (True, False):
            points = finder(pieces, words=words, special_tokens=special_tokens)
            counts = points.counts(file)
            assert counts.dtype == np.int32
            assert counts.tolist() == [len(points.positions(sentence)) for sentence in drawn]


@pytest.mark.parametrize("limit", [3, 1000])
def test_idf_is_scikit_learns_smoothed_one(sentences, tmp_path, limit):
    drawn = [sentences(20, 1), sentences(9, 2)]
    files = [write(tmp_path / str(at), some) for at, some in enumerate(drawn)]
    size = len(symbols_of(SENTENCEPIECE))
    ours = inverse_document_frequencies(files, size, limit)
    documents = [set(sentence.tolist()) for some in drawn for sentence in some[:limit]]
    for token in set(range(size)) - {2}:
        within = sum(token in document for document in documents)
        expected = math.log((1 + len(documents)) / (1 + within)) + 1
        assert ours[token] == pytest.approx(expected, rel=1e-12)
    assert ours[0] == ours.max() and len(set(ours.round(6))) > 4
