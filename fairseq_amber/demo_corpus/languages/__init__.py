"""The languages of the grammar: each module has ``realise(sentence) -> list of tokens``."""

from __future__ import annotations

import importlib
from typing import Callable

from fairseq_amber.demo_corpus.meaning import Sentence
from fairseq_amber.demo_corpus.tokens import Tokens

LANGUAGES = {"de": "german", "en": "english", "ru": "russian", "tr": "turkish"}


def realisers() -> dict[str, Callable[[Sentence], Tokens]]:
    """The function that says a meaning, for each language code."""
    return {
        code: importlib.import_module(f"{__name__}.{module}").realise
        for code, module in LANGUAGES.items()
    }
