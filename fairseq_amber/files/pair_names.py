"""Names of language pairs, such as ``de-en``, and of the two languages in them.

A language may have a hyphen in its name, as ``pt-BR``, ``sr-Latn`` and ``zh-min-nan`` have, so that
a pair's name alone does not always tell where the first language ends. Its files do, because each
ends in one of the two: ``train.pt-BR-en.pt-BR`` and ``train.pt-BR-en.en``.
"""

from __future__ import annotations

import re
from typing import Collection, Iterator

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_@][A-Za-z0-9]+)*")


def is_language_code(name: str) -> bool:
    """Tells whether a name is spelled as codes of languages are: two or three letters, then any
    parts behind ``-``, ``_`` or ``@``, such as the script and the region."""
    return _LANGUAGE.fullmatch(name) is not None


class PairName(str):
    """The name ``<src>-<tgt>`` of a pair, which knows its two languages.

    Attributes:
        languages: the first and the second language.
    """

    languages: tuple[str, str]

    def __new__(cls, source: str, target: str) -> PairName:
        """Makes the name of two languages.

        Args:
            source: the first language.
            target: the second language.
        """
        name = super().__new__(cls, f"{source}-{target}")
        name.languages = source, target
        return name

    def __reduce__(self) -> tuple:
        return PairName, self.languages


def languages_of(pair: str) -> tuple[str, str]:
    """Returns the two languages of a pair.

    They are certain of a ``PairName`` and of a name with one hyphen. Of other names, the second
    language is what follows the last hyphen if that is two small letters, which no part behind a
    language is by custom; otherwise the first language is what stands before the first hyphen.
    """
    if isinstance(pair, PairName):
        return pair.languages
    source, _, target = pair.rpartition("-")
    if not re.fullmatch("[a-z]{2}", target):
        source, _, target = pair.partition("-")
    return source, target


def find_languages(pair: str, endings: Collection[str]) -> PairName | None:
    """Finds where the first language of a pair ends, by the endings of its files.

    Args:
        pair: the name of the pair.
        endings: the endings of its files, some of which may be no languages.

    Returns:
        The pair whose two languages both are endings; if there is none, the one of which an ending
        is one language, and a code of a language the other. None if there is no such pair, or more
        than one.
    """
    for is_wanted in (_has_both, _has_one):
        found = [name for name in _readings(pair) if is_wanted(name, endings)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _readings(pair: str) -> Iterator[PairName]:
    for hyphen in re.finditer("-", pair):
        source, target = pair[: hyphen.start()], pair[hyphen.end() :]
        if source and target and source != target:
            yield PairName(source, target)


def _has_both(name: PairName, endings: Collection[str]) -> bool:
    return all(language in endings for language in name.languages)


def _has_one(name: PairName, endings: Collection[str]) -> bool:
    source, target = name.languages
    return (source in endings and is_language_code(target)) or (
        target in endings and is_language_code(source)
    )
