"""Exact match and F1 of answers, as the scripts of SQuAD and of MLQA compute them.

Both scripts lower-case the text, remove punctuation and articles, and compare bags of words.
SQuAD's rules (Rajpurkar et al. 2016, arXiv 1606.05250), which XQuAD and TyDiQA-GoldP share, know
only English articles and ASCII punctuation, whatever the language. MLQA's rules (Lewis et al. 2020,
arXiv 1910.07475) know the articles of each of its languages and all of Unicode's punctuation, and
split Chinese into characters.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from typing import Callable, NamedTuple, Sequence

MAX_ANSWER_TOKENS = 30  # the longest answer in subwords that XTREME allows

_ENGLISH = re.compile(r"\b(a|an|the)\b")
_ARTICLES = {
    "ar": re.compile("ال"),  # also inside of a word, as in MLQA's script
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "en": _ENGLISH,
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "hi": None,
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "zh": None,
}
MLQA_LANGUAGES = tuple(sorted(_ARTICLES))
_HAN = re.compile("([\u4e00-\u9fa5])")
_ASCII_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


class AnswerScores(NamedTuple):
    """The scores of one prediction, each the highest over the gold answers.

    Attributes:
        em: exact match, 0 or 1.
        f1: F1 of the words, in 0..1.
    """

    em: float
    f1: float


def squad_scores(prediction: str, answers: Sequence[str]) -> AnswerScores:
    """Scores one prediction against its gold answers, by SQuAD v1.1's rules.

    Raises:
        ValueError: ``answers`` is empty."""
    return _best(prediction, answers, _squad_words)


def mlqa_scores(prediction: str, answers: Sequence[str], language: str) -> AnswerScores:
    """Scores one prediction against its gold answers, by MLQA's rules for their language.

    Raises:
        ValueError: ``answers`` is empty, or ``MLQA_LANGUAGES`` lacks the language.
    """
    if language not in _ARTICLES:
        raise ValueError(f"MLQA has no rules for {language!r}; it has {', '.join(MLQA_LANGUAGES)}")
    return _best(prediction, answers, lambda text: _mlqa_words(text, language))


def _best(
    prediction: str, answers: Sequence[str], words_of: Callable[[str], list[str]]
) -> AnswerScores:
    if not answers:
        raise ValueError("a question without gold answers has no score")
    predicted = words_of(prediction)
    golds = [words_of(answer) for answer in answers]
    return AnswerScores(
        em=float(any(predicted == gold for gold in golds)),
        f1=max(_f1(predicted, gold) for gold in golds),
    )


def _f1(predicted: list[str], gold: list[str]) -> float:
    """Computes F1 of two bags of words; 0 if they share no word, even if both are empty."""
    same = sum((Counter(predicted) & Counter(gold)).values())
    if not same:
        return 0.0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)


def _squad_words(text: str) -> list[str]:
    return _ENGLISH.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split()


def _mlqa_words(text: str, language: str) -> list[str]:
    text = text.lower().translate(_ASCII_PUNCTUATION)
    text = "".join(c for c in text if not unicodedata.category(c).startswith("P"))
    articles = _ARTICLES[language]
    if articles is not None:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _HAN.sub(r" \1 ", text)
    return text.split()
