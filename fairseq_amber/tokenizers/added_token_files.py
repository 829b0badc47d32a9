"""Reads the tokens that were added to a tokenizer of Hugging Face after it had been learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_json

CONFIG_NAME = "tokenizer_config.json"
JSON_NAME = "tokenizer.json"
OLD_NAME = "added_tokens.json"
_LISTED = "added_tokens_decoder"  # the key in tokenizer_config.json
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


class AddedToken(NamedTuple):
    """A token that was added to a tokenizer.

    Attributes:
        content: its text.
        number: its row in the embedding of the folder that it was read from.
        single_word: whether it is found only where no letter or digit is next to it.
        lstrip: whether it takes the white space before it.
        rstrip: whether it takes the white space after it.
        normalized: whether it is looked for in normalised text.
        special: whether it is a special token, which decoding leaves out.
    """

    content: str
    number: int
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = True
    special: bool = False


def read_added_tokens(folder: Path, specials: Iterable[str]) -> tuple[AddedToken, ...]:
    """Reads the added tokens of a folder; see ``parse_added_tokens``.

    Raises:
        UserError: a file cannot be read or is damaged, or two tokens have the same row.
    """
    listed, config, old = (
        read_json(folder / name) or {} for name in (JSON_NAME, CONFIG_NAME, OLD_NAME)
    )
    return parse_added_tokens(specials, str(folder), listed, config, old)


def parse_added_tokens(
    specials: Iterable[str],
    source: str,
    listed: Mapping[str, Any],
    config: Mapping[str, Any],
    old: Mapping[str, Any],
) -> tuple[AddedToken, ...]:
    """Finds the added tokens in the contents of files.

    They stand in tokenizer.json, in tokenizer_config.json, or, in folders of the first versions of
    transformers, in added_tokens.json.

    Args:
        specials: the special tokens of the model, which are no added tokens here.
        source: the name of the folder, for the error.
        listed: the content of its tokenizer.json; empty if there is none.
        config: the content of its tokenizer_config.json; empty if there is none.
        old: the content of its added_tokens.json; empty if there is none.

    Returns:
        The tokens, in the order of their rows.

    Raises:
        UserError: a file is damaged, or two tokens have the same row.
    """
    found = listed.get("added_tokens") or []
    by_number = config.get(_LISTED) or {}
    if not isinstance(found, list):
        raise _damaged(f"{source}/{JSON_NAME}", "added_tokens")
    if not isinstance(by_number, dict):
        raise _damaged(f"{source}/{CONFIG_NAME}", _LISTED)
    names = _names_of_specials(config)
    entries = [(token, _get(token, "id"), JSON_NAME) for token in found]
    entries += [(token, number, CONFIG_NAME) for number, token in by_number.items()]
    entries += [
        ({"content": content, "special": content in names}, number, OLD_NAME)
        for content, number in old.items()
    ]
    tokens: dict[str, AddedToken] = {}
    for entry, number, name in entries:
        token = _token(entry, number, f"{source}/{name}")
        if token.content not in specials:
            tokens.setdefault(token.content, token)
    by_row: dict[int, AddedToken] = {}
    for token in tokens.values():
        other = by_row.setdefault(token.number, token)
        if other is not token:
            raise UserError(
                f"{source} gives the number {token.number} both to {other.content!r} and to "
                f"{token.content!r}; fetch its tokenizer again"
            )
    return tuple(by_row[row] for row in sorted(by_row))


def encode_added_tokens(tokens: Iterable[AddedToken]) -> dict[str, Any]:
    """Returns the tokens as tokenizer_config.json lists them."""
    listed = {}
    for token in tokens:
        content = token._asdict()
        listed[str(content.pop("number"))] = content
    return {_LISTED: listed} if listed else {}


def _names_of_specials(config: Mapping[str, Any]) -> set[str]:
    names = set()
    for key in ("additional_special_tokens", "extra_special_tokens"):
        found = config.get(key) or []
        if isinstance(found, (list, dict)):
            for entry in found.values() if isinstance(found, dict) else found:
                name = _get(entry, "content") if isinstance(entry, dict) else entry
                names |= {name} if isinstance(name, str) else set()
    return names


def _token(entry: Any, number: Any, source: str) -> AddedToken:
    """Checks an added token. transformers looks for special tokens in text as it stands."""
    content = _get(entry, "content")
    if isinstance(number, str) and number.isdecimal():
        number = int(number)
    if not isinstance(content, str) or not content or type(number) is not int or number < 0:
        raise _damaged(source, "an added token")
    special = entry.get("special", False)
    usual = {"normalized": not special}
    flags = {flag: entry.get(flag, usual.get(flag, False)) for flag in FLAGS}
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise _damaged(source, f"the added token {content!r}")
    return AddedToken(content, number, **flags)


def _get(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None


def _damaged(source: str, what: str) -> UserError:
    return UserError(f"{source} is damaged: {what} is not what transformers writes; fetch it again")
