"""Forms Russian nouns, adjectives and past tenses from the forms that the lexicon gives."""

from __future__ import annotations

from functools import lru_cache

from fairseq_amber.demo_corpus.languages.russian.lexicon import CASES, Noun

_HUSHED = "жчшщ"
_VELAR = "гкх"


def noun_forms(noun: Noun) -> dict[tuple[bool, str], str]:
    """Forms all cases of a noun, and the locative, which is the case of being in a place.

    Returns:
        (whether it is plural, case) -> form.
    """
    nominative, genitive, plural = noun.singular, noun.singular_genitive, noun.plural
    is_animate = noun.animacy == "animate"
    if noun.irregular == ("indeclinable",):
        return {(many, case): nominative for many in (False, True) for case in (*CASES, "locative")}
    forms = {(False, "nominative"): nominative, (False, "genitive"): genitive}
    if nominative[-1] in "ая":
        base, ending = nominative[:-1], nominative[-1]
        forms[False, "accusative"] = base + ("у" if ending == "а" else "ю")
        is_soft = ending == "я" or base[-1] in _HUSHED + "ц"
        forms[False, "instrumental"] = base + ("ей" if is_soft else "ой")
        forms[False, "dative"] = forms[False, "prepositional"] = base + "е"
    elif genitive[-1] == "и":  # дверь, двери
        forms[False, "accusative"] = nominative
        forms[False, "instrumental"] = nominative + "ю"
        forms[False, "dative"] = forms[False, "prepositional"] = genitive
    else:
        base, is_hard = genitive[:-1], genitive[-1] == "а"
        forms[False, "accusative"] = genitive if is_animate else nominative
        forms[False, "instrumental"] = base + ("ом" if is_hard else "ем")
        forms[False, "dative"] = base + ("у" if is_hard else "ю")
        forms[False, "prepositional"] = base + "е"
    base, ending = plural[:-1], plural[-1]
    is_hard = ending in "ыа" or base[-1] in _HUSHED + _VELAR
    vowel = "а" if is_hard else "я"
    forms[True, "nominative"] = plural
    forms[True, "genitive"] = noun.plural_genitive
    forms[True, "accusative"] = noun.plural_genitive if is_animate else plural
    forms[True, "dative"] = base + vowel + "м"
    forms[True, "instrumental"] = base + vowel + "ми"
    forms[True, "prepositional"] = base + vowel + "х"
    for exception in noun.irregular:
        slot, form = exception.split("=")
        number, case = slot.split(".")
        forms[number == "pl", case] = form
    forms.setdefault((False, "locative"), forms[False, "prepositional"])
    forms[True, "locative"] = forms[True, "prepositional"]
    return forms


@lru_cache(maxsize=None)
def adjective_forms(masculine: str) -> dict[str, tuple[str, ...]]:
    """Forms the six cases of an adjective from its nominative masculine.

    Returns:
        Gender (m, f, n) or plural (pl) -> the forms in the order of ``CASES``; the accusatives are
        those with inanimate nouns.
    """
    stem, ending = masculine[:-2], masculine[-2:]
    is_soft = stem.endswith("н") and ending == "ий"
    is_hushed = stem[-1] in _HUSHED
    y = "и" if is_soft or is_hushed or stem[-1] in _VELAR else "ы"
    o = "е" if is_soft or (is_hushed and ending != "ой") else "о"
    a, u = ("я", "ю") if is_soft else ("а", "у")
    genitive, dative = f"{stem}{o}го", f"{stem}{o}му"
    instrumental, prepositional = f"{stem}{y}м", f"{stem}{o}м"
    oblique = f"{stem}{o}й"
    feminine = f"{stem}{a}я", oblique, oblique, f"{stem}{u}ю", oblique, oblique
    neuter = f"{stem}{o}е"
    plural = f"{stem}{y}е"
    many = f"{stem}{y}х"
    return {
        "m": (masculine, genitive, dative, masculine, instrumental, prepositional),
        "f": feminine,
        "n": (neuter, genitive, dative, neuter, instrumental, prepositional),
        "pl": (plural, many, f"{stem}{y}м", plural, f"{stem}{y}ми", many),
    }


@lru_cache(maxsize=None)
def past_forms(entry: str) -> dict[str, str]:
    """Forms the past in the masculine, feminine, neuter and plural from ``читал`` or ``шёл/шла``.

    Returns:
        Gender (m, f, n) or plural (pl) -> form.
    """
    masculine, _, feminine = entry.partition("/")
    feminine = feminine or masculine + "а"
    if feminine.endswith("сь"):
        stem, reflexive = feminine[:-3], "сь"
    else:
        stem, reflexive = feminine[:-1], ""
    neuter, plural = f"{stem}о{reflexive}", f"{stem}и{reflexive}"
    return {"m": masculine, "f": feminine, "n": neuter, "pl": plural}
