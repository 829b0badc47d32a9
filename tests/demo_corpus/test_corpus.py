"""What is drawn: distinct sentences, known words, held-out combinations."""

from __future__ import annotations

import pytest

from fairseq_amber.demo_corpus import corpus as corpus_module
from fairseq_amber.demo_corpus.concepts import HELD_OUT
from fairseq_amber.demo_corpus.corpus import Settings
from fairseq_amber.demo_corpus.meaning import Sentence, combinations
from fairseq_amber.errors import UserError


def test_no_sentence_occurs_twice(folder, lines):
    for language, pair in (("de", "de-en"), ("ru", "ru-en"), ("tr", "tr-en"), ("en", "de-en")):
        everything = []
        for split in ("train", "valid", "test"):
            everything += lines(folder / f"{split}.{pair}.{language}")
        everything += lines(folder / f"train.{language}") + lines(folder / f"valid.{language}")
        assert len(set(everything)) == len(everything) == 600 + 20 + 30 + 40 + 20


def test_text_is_tokenised_and_short(folder, lines):
    for path in folder.glob("t*.*-*.[drt]?"):
        for line in lines(path):
            tokens = line.split(" ")
            assert all(tokens) and 3 <= len(tokens) <= 20
            assert tokens[-1] in (".", "?") and line[0] == line[0].upper()


def test_every_test_word_is_known(folder, lines, settings):
    for pair in settings.pairs:
        for language in pair.split("-"):
            train, test = (
                {
                    word
                    for line in lines(folder / f"{split}.{pair}.{language}")
                    for word in line.split()
                }
                for split in ("train", "test")
            )
            assert test <= train


def test_held_out_combinations(monkeypatch, settings):
    """Seen from the meanings themselves, not from the filter that the corpus is drawn with."""
    held_out = set(HELD_OUT)
    drawn: dict[str, list[Sentence]] = {}
    candidates = corpus_module._Drawing._candidates

    def recorded(self, stream, is_test):
        for sentence in candidates(self, stream, is_test):
            drawn.setdefault("test" if is_test else "other", []).append(sentence)
            yield sentence

    monkeypatch.setattr(corpus_module._Drawing, "_candidates", recorded)
    corpus_module.draw(settings)
    assert all(held_out.intersection(combinations(sentence)) for sentence in drawn["test"])
    assert not any(held_out.intersection(combinations(sentence)) for sentence in drawn["other"])
    assert len(drawn["test"]) >= 30 and len(drawn["other"]) >= 600


def test_asks_for_more_text_when_words_are_missing(monkeypatch):
    monkeypatch.setattr(corpus_module, "_PATIENCE", 300)
    with pytest.raises(UserError, match="for more --train-sentences"):
        corpus_module.draw(Settings(("de-en",), 1, 1, 5, 0))
