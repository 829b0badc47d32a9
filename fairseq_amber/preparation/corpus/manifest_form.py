"""The form of prepare.json: which types its values must have, whatever wrote or damaged it."""

from __future__ import annotations

from typing import Any, Callable

_Check = Callable[[Any], bool]


def is_manifest(content: dict[str, Any]) -> bool:
    """Tells whether the content of a JSON file has the form of a ``Manifest``."""
    return _has_form(content, _MANIFEST, optional=("word_boundaries",))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()  # a message may show it


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_scalar(value: Any) -> bool:
    return _is_text(value) or isinstance(value, (int, float, type(None)))


def _map_of(check: _Check) -> _Check:
    return lambda value: (
        isinstance(value, dict)
        and all(_is_text(key) and check(item) for key, item in value.items())
    )


def _is_counts_of_languages(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (1, 2) and all(map(_is_count, value))


def _has_form(value: Any, form: dict[str, _Check], optional: tuple[str, ...] = ()) -> bool:
    """Tells whether a value is an object of these keys, whose values pass their checks."""
    return (
        isinstance(value, dict)
        and form.keys() - set(optional) <= value.keys() <= form.keys()
        and all(form[key](item) for key, item in value.items())
    )


def _is_vocabulary(value: Any) -> bool:
    return value == {} or _has_form(value, _VOCABULARY)


def _is_counts(value: Any) -> bool:
    return _has_form(value, _COUNTS) and len(value["tokens"]) == len(value["unknown"])


def _is_corpus(value: Any) -> bool:
    return _has_form(value, _CORPUS, optional=("output_digests",)) and (
        value.get("output_digests", value["outputs"]).keys() == value["outputs"].keys()
    )


_VOCABULARY = {"settings": _map_of(_is_scalar), "text": _map_of(_is_text)}
_COUNTS = {
    "lines": _is_count,
    "kept": _is_count,
    "dropped": _map_of(_is_count),
    "tokens": _is_counts_of_languages,
    "unknown": _is_counts_of_languages,
}
_CORPUS = {
    "sources": _map_of(_is_text),
    "outputs": _map_of(_is_count),
    "output_digests": _map_of(_is_text),
    "counts": _is_counts,
}
_MANIFEST = {
    "vocabulary": _is_vocabulary,
    "digests": _map_of(_is_text),
    "filters": _map_of(_is_scalar),
    "corpora": _map_of(_is_corpus),
    "format": _is_count,
    "word_boundaries": lambda value: value is None or _is_text(value),
}
