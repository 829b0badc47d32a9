"""Adds Turkish endings to stems: vowel harmony, buffer sounds, stems that soften before vowels.

In an ending, A stands for a or e, I for ı, i, u or ü, and D for d or t. A sound in brackets is
written only between two vowels, as in ``(y)I``, or between two consonants, as in ``(I)m``.
"""

from __future__ import annotations

from functools import lru_cache

_VOWELS = "aeıioöuü"
_FRONT = "eiöü"
_CLOSE = {"a": "ı", "ı": "ı", "e": "i", "i": "i", "o": "u", "u": "u", "ö": "ü", "ü": "ü"}
_FRONTED = {"a": "e", "ı": "i", "o": "ö", "u": "ü"}
_VOICELESS = "çfhkpsşt"
# the endings of I, you, he, we, they
PRESENT = ("(y)Im", "sIn", "", "(y)Iz", "lAr")
PAST = ("m", "n", "", "k", "lAr")


@lru_cache(maxsize=None)
def inflect(stem: str, *endings: str) -> str:
    """Adds endings to a stem; ``kitap/kitab`` gives a second form for use before vowels.

    >>> inflect("kitap/kitab", "(y)I"), inflect("okul", "DA"), inflect("anne", "(I)m", "(y)A")
    ('kitabı', 'okulda', 'anneme')
    """
    plain, soft, is_fronted = _parts(stem)
    for ending in endings:
        ends_in_vowel = soft[-1] in _VOWELS  # false for su/suy
        if ending.startswith("("):
            buffer = ending[1]
            needed = ends_in_vowel != (buffer in "AI")
            ending = (buffer if needed else "") + ending[3:]
        if not ending:
            continue
        # a stem that ends in a vowel also softens before y: yiyecek
        is_soft = ending[0] in "AI" or (ends_in_vowel and ending[0] == "y")
        word = soft if is_soft else plain
        for letter in ending:
            word += _harmonised(letter, word, is_fronted)
            if letter in "AI":
                is_fronted = False
        plain = soft = word
    return plain


def _parts(stem: str) -> tuple[str, str, bool]:
    is_fronted = stem.endswith("^")
    plain, _, soft = stem.rstrip("^").partition("/")
    return plain, soft or plain, is_fronted


def _last_vowel(word: str) -> str:
    return next(letter for letter in reversed(word) if letter in _VOWELS)


def _harmonised(letter: str, word: str, is_fronted: bool) -> str:
    if letter == "D":
        return "t" if word[-1] in _VOICELESS else "d"
    if letter not in "AI":
        return letter
    vowel = _last_vowel(word)
    if is_fronted:
        vowel = _FRONTED[vowel]
    if letter == "A":
        return "e" if vowel in _FRONT else "a"
    return _CLOSE[vowel]


def _softened(word: str) -> str:
    """Marks that a final k softens between vowels: gelecek, geleceği."""
    return f"{word}/{word[:-1]}ğ" if word.endswith("k") else word


def bare(stem: str) -> str:
    """Returns the form of a stem without endings."""
    return _parts(stem)[0]


@lru_cache(maxsize=None)
def progressive(stem: str, negated: bool) -> str:
    """Forms the progressive without a person: okuyor, bekliyor, gidiyor; okumuyor."""
    plain, soft, _ = _parts(stem)
    if negated:
        return inflect(plain, "mIyor")
    if soft[-1] not in _VOWELS:
        return inflect(soft, "Iyor")
    rest = soft[:-1]
    has_vowel = any(letter in _VOWELS for letter in rest)
    return rest + _CLOSE[_last_vowel(rest if has_vowel else soft)] + "yor"


def finite(stem: str, tense: str, negated: bool, person: int) -> str:
    """Forms a verb of a main clause; ``person`` is an index into I, you, he, we, they."""
    if tense == "past":
        return inflect(stem, *(["mA"] if negated else []), "DI", PAST[person])
    if tense == "imperfect":
        return past_copula(progressive(stem, negated), person)
    if tense == "present":
        word = progressive(stem, negated)
    else:
        word = inflect(stem, *(["mA"] if negated else []), "(y)AcAk")
    return inflect(_softened(word), PRESENT[person])


def past_copula(stem: str, person: int) -> str:
    """Adds "was" or "were" as an ending: hastaydım, okuyordum; for "they" hastalardı."""
    return inflect(stem, "lAr", "DI") if person == 4 else inflect(stem, "(y)DI", PAST[person])


def nominalised(stem: str, tense: str, negated: bool) -> str:
    """Forms the verb of a that-clause: okuduğunu (reads or read), okuyacağını (will read)."""
    ending = "(y)AcAğInI" if tense == "future" else "DIğInI"
    return inflect(stem, *(["mA"] if negated else []), ending)


def question_particle(word: str, *endings: str) -> str:
    """Forms the particle mı, mi, mu or mü for a word, with its endings: musun, mıydı."""
    return inflect(word, "mI", *endings)[len(bare(word)) :]
