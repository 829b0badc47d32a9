"""The points of sentences, against words that are joined from their pieces as strings."""

import math

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import MMapIndexedDatasetBuilder

from fairseq_amber.data import token_file
from fairseq_amber.data.alignment.example import RowStarts
from fairseq_amber.data.alignment.needs import PointSettings
from fairseq_amber.data.alignment.points import PointFinder, inverse_document_frequencies
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import TokenWords
from fairseq_amber.tokenizers.word_boundaries import word_boundaries
from toy_examples import blocks_of, states_of

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SENTENCEPIECE = [*"▁a ▁b ▁c d e f . 我 们 ▁ カ ▁你 iP".split()]
WORDPIECE = [*"a b c ##d ##e ##f . 我 们 , カ ##你 iP".split()]
UNSPACED = set("我们カ你")
MARKS = set(".,")


def symbols_of(pieces):
    return [*SPECIAL, *pieces, "<mask>"]


def boundaries_of(pieces):
    symbols = symbols_of(pieces)
    return word_boundaries(symbols, Specials(0, 2, 1, len(symbols) - 1))


def starts_of(sentence, pieces, words=True):
    return boundaries_of(pieces).starts(sentence) if words else None


def batch_of(points, names, pairs, starts, pieces=SENTENCEPIECE):
    """The batch of pairs, whose words are found first."""
    of_words = points.settings.words
    words = [tuple(starts_of(x, pieces) for x in pair) if of_words else None for pair in pairs]
    return points.batch(names, pairs, words, starts)


def finder(tables=None, **settings):
    return PointFinder(PointSettings(**settings), tables)


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
        alone = before and (UNSPACED | MARKS) & {letters[:1], before[-1:]}  # a bare mark has none
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


def slow_side(names, pairs, sides, pieces, settings, tables):
    """For each problem: (pair, side, position) of its points on these sides, and their weights."""
    of_pairs = []
    for number, (name, sentences, side) in enumerate(zip(names, pairs, sides)):
        sentence, idf = sentences[side], tables[name.split("-")[side]]
        points = slow_points(sentence, pieces, settings)
        masses = [
            max(idf[sentence[at]] for at in group) if settings.idf and group else 1.0
            for _, group in points
        ]
        masses = [mass / sum(masses) for mass in masses]
        of_pairs.append(([(number, side, at) for at, _ in points], masses))
    if not settings.pooled:
        return of_pairs
    problems = []
    for name in dict.fromkeys(names):
        members = [of_pairs[number] for number, other in enumerate(names) if other == name]
        places = [place for own, _ in members for place in own]
        weights = []
        for own, masses in members:
            share = 1 / len(members) if settings.equal_sentences else len(own) / len(places)
            weights += [share * mass for mass in masses]
        problems.append((places, weights))
    return problems


@pytest.mark.parametrize(
    "pieces, text, last",
    [
        (SENTENCEPIECE, "▁a d e ▁b ▁c f .", [3, 4, 6, 7]),
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
    starts = starts_of(sentence, pieces)
    assert finder().positions(sentence, starts).tolist() == last
    with_specials = finder(special_tokens=True).positions(sentence, starts).tolist()
    assert with_specials == [0, *last, len(sentence) + 1]
    every = list(range(1, len(sentence) + 1))
    assert finder(words=False).positions(sentence).tolist() == every
    alone = finder(words=False, special_tokens=True).positions(sentence).tolist()
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
    """Pairs of several corpora in several blocks: the target is on the left in some of them."""
    rng = np.random.default_rng(5)
    size = len(symbols_of(pieces))
    tables = {language: 1 + rng.random(size) * 5 for language in ("de", "en", "tr")}
    settings = PointSettings(**settings, **scope)
    points = finder(tables, **settings._asdict())
    for seed, count in enumerate((1, 2, 14)):
        pairs = list(zip(sentences(count, 2 * seed), sentences(count, 2 * seed + 1)))
        names = rng.permutation(["de-en", "en-tr", "en-de", "tr-de"] * 4)[:count].tolist()
        targets = [0 if name.startswith("en") else 1 for name in names]
        shapes = blocks_of(pairs, seed=seed)
        batch = batch_of(points, names, pairs, RowStarts.of(shapes), pieces)
        for side, chosen in (("source", [1 - side for side in targets]), ("target", targets)):
            problems = slow_side(names, pairs, chosen, pieces, settings, tables)
            index, weights, mask = (
                batch[f"{side}_{name}"].numpy() for name in ("index", "weights", "mask")
            )
            assert index.dtype == np.int64 and weights.dtype == np.float64 and mask.dtype == bool
            assert index.shape == weights.shape == mask.shape
            assert mask.shape == (len(problems), max(len(places) for places, _ in problems))
            assert not index[~mask].any() and not weights[~mask].any()
            states = states_of(shapes)
            for problem, (places, masses) in enumerate(problems):
                inside = mask[problem]
                assert inside[: len(places)].all() and inside.sum() == len(places)
                assert [states[at] for at in index[problem, inside].tolist()] == places
                np.testing.assert_allclose(weights[problem, inside], masses, rtol=1e-6)
            np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
        alone, initial = states_of(shapes, sides=[0]), batch["initial_index"].numpy()
        assert initial.shape == mask.shape and not initial[~mask].any()
        for problem, (places, _) in enumerate(problems):
            found = [alone[at] for at in initial[problem, mask[problem]].tolist()]
            assert found == [(number, 0, at) for number, _, at in places]
        of_problems = [len({number for number, _, _ in places}) for places, _ in problems]
        assert batch["problem_pairs"].tolist() == of_problems and sum(of_problems) == count
        assert batch["targets"] == mask.sum() and type(batch["targets"]) is int


def test_a_pooled_problem_has_all_pairs_of_two_languages_in_all_blocks(sentences):
    pairs = list(zip(sentences(9, 0), sentences(9, 1)))
    names = ["tr-en", "de-en", "tr-en", "en-tr"] * 2 + ["de-en"]
    starts = RowStarts.of([(2, 14), (3, 14), (4, 14)])
    assert batch_of(finder(), names, pairs, starts)["problem_pairs"].tolist() == [1] * 9
    pooled = batch_of(finder(pooled=True), names, pairs, starts)
    assert pooled["problem_pairs"].tolist() == [4, 3, 2]


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
    pairs = list(zip(sentences(4, 0), sentences(4, 1)))
    shapes = blocks_of(pairs)
    points = finder(target_language=language)
    batch = batch_of(points, [pair] * 4, pairs, RowStarts.of(shapes))
    states = states_of(shapes)
    for name, expected in (("source", 1 - side), ("target", side)):
        index, mask = batch[f"{name}_index"], batch[f"{name}_mask"]
        assert {states[at][1] for at in index[mask].tolist()} == {expected}


def test_a_language_without_frequencies_shares_its_mass_evenly(sentences):
    pairs = list(zip(sentences(1, 0), sentences(1, 1)))
    tables = {"de": 1 + np.arange(len(symbols_of(SENTENCEPIECE)))}
    settings = dict(idf=True, words=False)
    points = finder(tables=tables, **settings)
    batch = batch_of(points, ["de-en"], pairs, RowStarts.of([(1, 14)]))
    rarity = 1 + pairs[0][0]
    np.testing.assert_allclose(batch["source_weights"][0], rarity / rarity.sum())
    np.testing.assert_allclose(batch["target_weights"][0], 1 / len(pairs[0][1]))


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
    monkeypatch.setattr(token_file, "_READ_TOGETHER", at_once)
    drawn = sentences(50, 3)
    file = write(tmp_path / "train", drawn)
    for words in (True, False):
        for special_tokens in (True, False):
            points = finder(words=words, special_tokens=special_tokens)
            counts = points.counts(file, TokenWords(file, boundaries_of(pieces)) if words else None)
            assert counts.dtype == np.int32
            found = [points.positions(s, starts_of(s, pieces, words)) for s in drawn]
            assert counts.tolist() == list(map(len, found))


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
