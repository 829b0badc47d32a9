"""Meanings of whole sentences."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from fairseq_amber.demo_corpus.meaning import nouns
from fairseq_amber.demo_corpus.sampler import Sampler


def test_a_seed_decides_the_meanings():
    first, again, other = (list(islice(Sampler(seed).sentences(), 20)) for seed in "112")
    assert first == again != other


def test_no_noun_occurs_twice():
    sampler = Sampler("nouns")
    for _ in range(300):
        words = nouns(sampler.sentence())
        assert len(set(words)) == len(words)


def test_joins_and_questions():
    sentences = list(islice(Sampler("joins").sentences(), 1000))
    assert set(Counter(sentence.join for sentence in sentences)) == {
        *("", "and", "but", "because", "that")
    }
    assert any(sentence.question for sentence in sentences)
    for sentence in sentences:
        if sentence.second is None:
            continue
        assert not sentence.question
        subject = sentence.second.subject
        if sentence.join == "because":
            first = sentence.clause.subject
            assert subject.is_pronoun and (first.plural or first.noun not in ("child", "girl"))
        if sentence.join in ("and", "but"):
            assert subject.noun not in ("he", "she", "they")


def test_near_neighbours_follow():
    """About half of the meanings are followed by meanings with the same predicate and subject."""
    sentences = list(islice(Sampler("neighbours").sentences(), 1000))
    same = sum(
        first.clause.predicate == second.clause.predicate and first.join == second.join
        for first, second in zip(sentences, sentences[1:])
    )
    assert 200 < same < 700
