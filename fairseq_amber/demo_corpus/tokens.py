"""Tokens that know what they say, and the word alignment that follows from it.

Every token lists the units of meaning that it expresses: as a word of its own ("sure"), or only
through an ending, its word order or something left unsaid ("possible"). Two tokens are linked when
they share a unit; the link is sure when it is a word in both languages.
"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence


class Token(NamedTuple):
    """A word or a punctuation mark, and the names of the units of meaning that it expresses."""

    text: str
    sure: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


Tokens = List[Token]


def text(tokens: Sequence[Token]) -> str:
    """The sentence as it is written: tokens separated by single spaces."""
    return " ".join([token.text for token in tokens])


def pharaoh(source: Sequence[Token], target: Sequence[Token]) -> str:
    """The gold alignment of two realisations of a meaning: `i-j` is sure, `ipj` possible."""
    links = []
    for i, first in enumerate(source):
        for j, second in enumerate(target):
            if not set(first.sure).isdisjoint(second.sure):
                links.append(f"{i}-{j}")
            elif not (
                set(first.sure).isdisjoint(second.possible)
                and set(first.possible).isdisjoint(second.sure)
            ):
                links.append(f"{i}p{j}")
    return " ".join(links)


def finish(tokens: Tokens, question: bool, capital: str) -> Tokens:
    """Adds the full stop or question mark, and the capital letter of the first token."""
    first = tokens[0]
    tokens[0] = first._replace(text=capital + first.text[1:])
    tokens.append(Token("?", (".",), ("?",)) if question else Token(".", (".",)))
    return tokens


def adverbial(words: str, unit: str) -> Tokens:
    """The tokens of a fixed phrase such as ``am/12 Morgen/3``.

    Digits after the slash name the parts of the phrase that a word expresses; those after ``~`` it
    expresses without a word of their own, as in ``утром/3~12``.
    """
    tokens = []
    for word in words.split():
        form, _, parts = word.partition("/")
        sure, _, possible = parts.partition("~")
        tokens.append(
            Token(form, tuple([unit + part for part in sure]), tuple([unit + p for p in possible]))
        )
    return tokens
