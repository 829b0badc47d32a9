from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from fairseq_amber.files.text import check_file
from fairseq_amber.preparation.corpus.encode import Encoder, outliers
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings
from fairseq_amber.preparation.corpus.vocabulary import Vocabulary, learn_model, load_vocabulary
from fairseq_amber.tokenizers.subwords import MODEL_NAME


@pytest.fixture
def vocabulary(raw: Path) -> Vocabulary:
    text = {"de": [check_file(raw / "train.de-en.de")], "en": [check_file(raw / "train.en")]}
    return load_vocabulary(learn_model(text, VocabularySettings(vocab_size=100)))


def unpack(ids: np.ndarray, sizes: np.ndarray) -> list[list[int]]:
    return [line.tolist() for line in np.split(ids, np.cumsum(sizes)[:-1])]


def test_encoding_equals_piece_by_piece_look_up(vocabulary: Vocabulary):
    lines = ["der hund schläft.", "", "  книга the dog ", "狗" * 3]
    processor = sentencepiece.SentencePieceProcessor(
        model_proto=vocabulary.tokenizer.files[MODEL_NAME]
    )
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    symbols += [line.split(" ")[0] for line in vocabulary.dictionary.decode().splitlines()]
    index = {symbol: i for i, symbol in enumerate(symbols)}
    expected = [
        [index.get(piece, 3) for piece in processor.EncodeAsPieces(line)] + [2] for line in lines
    ]
    block = Encoder(vocabulary, FilterSettings()).encode_aligned([lines], "test")
    assert unpack(block.ids[0], block.sizes[0]) == expected
    assert block.ids[0].dtype == np.uint16 and 3 in expected[2]


def test_each_line_is_dropped_for_the_first_of_its_reasons():
    source = np.array([4, 0, 0, 11, 10, 20, 21, 1, 40])
    target = np.array([4, 3, 0, 10, 10, 2, 2, 21, 9])
    masks = outliers([source, target], FilterSettings(max_length=30, max_ratio=4.0))
    assert masks["empty"].nonzero()[0].tolist() == [1, 2]
    assert masks["too long"].nonzero()[0].tolist() == [8]
    # 20 / 5 is allowed, 21 / 5 is not; 40 / 9 too is an outlier
    assert masks["ratio"].nonzero()[0].tolist() == [6, 7, 8]
    assert "ratio" not in outliers([source, target], FilterSettings(max_ratio=0))
    mono = outliers([source], FilterSettings(max_length=1, max_mono_length=20))
    assert mono["too long"].nonzero()[0].tolist() == [6, 8]
    assert set(mono) == {"empty", "too long"}


def test_filters_keep_sides_aligned_and_spare_the_test_split(vocabulary: Vocabulary):
    source = ["der hund", "", "wir lesen", "es regnet " * 40, "hund"]
    target = ["the dog", "we", "we read", "it rains " * 40, " "]
    encoder = Encoder(vocabulary, FilterSettings(max_length=40))
    block = encoder.encode_aligned([source, target], "train")
    assert block.dropped == {"empty": 2, "too long": 1, "ratio": 0}
    whole = encoder.encode_aligned([source, target], "test")
    assert whole.dropped == {}
    for side in (0, 1):
        lines = unpack(whole.ids[side], whole.sizes[side])
        assert len(lines) == 5
        assert unpack(block.ids[side], block.sizes[side]) == [lines[0], lines[2]]


def test_a_block_that_is_dropped_whole(vocabulary: Vocabulary):
    encoder = Encoder(vocabulary, FilterSettings(deduplicate=True))
    block = encoder.encode_aligned([["", " "]], "train")
    assert block.sizes[0].size == block.ids[0].size == len(block.digests) == 0


def test_digests_tell_pairs_apart(vocabulary: Vocabulary):
    encoder = Encoder(vocabulary, FilterSettings(deduplicate=True))
    source = ["der hund", "der hund", "der", "der hund "]
    target = ["the dog", "the dogs", "hund the dog", "the  dog"]
    digests = encoder.encode_aligned([source, target], "train").digests
    assert digests[0] == digests[3] and len(set(digests)) == 3
    assert encoder.encode_aligned([source, target], "valid").digests == []


def kept_words(encoder: Encoder, texts: list[list[str]], split: str, languages: list[str]):
    """The words of each line of each side, joined from the pieces."""
    block = encoder.encode_aligned(texts, split, languages)
    return block, [
        [np.flatnonzero(line).tolist() for line in np.split(starts, np.cumsum(sizes)[:-1])]
        for starts, sizes in zip(block.words, block.sizes)
    ]


def test_words_are_kept_for_the_lines_that_are(vocabulary: Vocabulary):
    """One bit for each id, and the ids are the same as without."""
    texts = [["der hund, ja.", "", "wir  lesen"], ["the dog's bone.", "we", "we read!"]]
    plain = Encoder(vocabulary, FilterSettings()).encode_aligned(texts, "train")
    encoder = Encoder(vocabulary, FilterSettings(), "spaces")
    block, words = kept_words(encoder, texts, "train", ["de", "en"])
    for ids, other, starts in zip(plain.ids, block.ids, block.words):
        assert ids.tolist() == other.tolist() and starts.shape == ids.shape
    assert [len(line) for line in words[0]] == [3 + 1, 2 + 1]  # </s> is a word
    assert [len(line) for line in words[1]] == [3 + 1, 2 + 1]
    assert plain.words == ()


@pytest.mark.parametrize("kind", ["spaces", "moses"])
def test_words_are_those_of_the_line_and_its_language(vocabulary: Vocabulary, kind: str):
    sacremoses = pytest.importorskip("sacremoses")
    lines = ["Der gute Hund, z. B. der da.", "(wir) lesen »das« Buch; es regnet...", "ja"]
    encoder = Encoder(vocabulary, FilterSettings(), kind)
    block, words = kept_words(encoder, [lines], "test", ["de"])
    split = str.split
    if kind == "moses":
        moses = sacremoses.MosesTokenizer("de")
        split = lambda line: moses.tokenize(line, escape=False)  # noqa: E731
    assert [len(line) - 1 for line in words[0]] == [len(split(line)) for line in lines]
