"""Exact match and F1 of answers, counted as SQuAD's and as MLQA's own script counts them.

Both compare bags of words after lower-casing and taking out punctuation and articles. SQuAD's rules
(Rajpurkar et al., 2016; XQuAD and TyDiQA-GoldP have the same) know English articles and ASCII
punctuation alone, in all languages; MLQA's (Lewis et al., 2020) know the articles of each of its
languages and all of Unicode's punctuation, and split Chinese into characters.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from typing import Callable, NamedTuple, Sequence

from fairseq_amber.errors import UserError

_ENGLISH = re.compile(r"\b(a|an|the)\b")
_ARTICLES = {
    "ar": re.compile("ال"),  # wherever it stands, as in MLQA's script
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
    """Exact match, 0 or 1, and F1 of words, in 0..1; each the best over the gold answers."""

    em: float
    f1: float


def squad_scores(prediction: str, answers: Sequence[str]) -> AnswerScores:
    """Scores of one prediction against its gold answers, by SQuAD v1.1's rules.

    Raises:
        ValueError: there are no gold answers.
    """
    return _best(prediction, answers, _squad_words)


def mlqa_scores(prediction: str, answers: Sequence[str], language: str) -> AnswerScores:
    """Scores of one prediction against its gold answers, by MLQA's rules for their language.

    Raises:
        ValueError: there are no gold answers, or the language is none of MLQA_LANGUAGES.
    """
    if language not in _ARTICLES:
        raise ValueError(f"MLQA has no rules for {language!r}; it has {', '.join(MLQA_LANGUAGES)}")
    return _best(prediction, answers, lambda text: _mlqa_words(text, language))


def check_languages(task: str, languages: Sequence[str], flag: str) -> None:
    """Checks that the answers of a task can be scored in these languages.

    Args:
        flag: that chooses them, for the error.

    Raises:
        UserError: it is MLQA, and one of them none of MLQA_LANGUAGES.
    """
    others = ", ".join(name for name in languages if name not in MLQA_LANGUAGES)
    if task == "mlqa" and others:
        raise UserError(
            f"MLQA's script has no rules for {others}; it scores {', '.join(MLQA_LANGUAGES)}: "
            f"leave {others} out by {flag}, or prepare that text as the task squad"
        )


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
    """Of two bags of words; 0 where they share none, even if both are empty."""
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
