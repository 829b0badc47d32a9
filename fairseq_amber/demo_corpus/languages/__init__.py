"""The languages of the corpus: one package each, whose ``grammar`` has a function ``realise``."""

from __future__ import annotations

import importlib
from typing import Callable

from fairseq_amber.demo_corpus.meaning import Sentence
from fairseq_amber.demo_corpus.tokens import Tokens

LANGUAGES = {"de": "german", "en": "english", "ru": "russian", "tr": "turkish"}


def realisers() -> dict[str, Callable[[Sentence], Tokens]]:
    """Returns, for each language code, the function that writes a meaning as tokens."""
    return {
        code: importlib.import_module(f"{__name__}.{package}.grammar").realise
        for code, package in LANGUAGES.items()
    }
