"""Tokens that know their units of meaning, and the word alignment that follows from these.

A token expresses a unit either as a word ("sure"), or only by an ending, by its position or by
leaving it unsaid ("possible"). Two tokens that share a unit are linked; the link is sure if both
express the unit as a word.
"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence


class Token(NamedTuple):
    """A word or a punctuation mark with its units of meaning.

    Attributes:
        text: the word as it is written.
        sure: the units that the token expresses as a word.
        possible: the units that it expresses without a word.
    """

    text: str
    sure: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


Tokens = List[Token]


def text(tokens: Sequence[Token]) -> str:
    """Joins the tokens of a sentence with single spaces."""
    return " ".join([token.text for token in tokens])


def pharaoh(source: Sequence[Token], target: Sequence[Token]) -> str:
    """Aligns the tokens of one meaning in two languages.

    Returns:
        The gold alignment in Pharaoh format: ``i-j`` is a sure link, ``ipj`` a possible one.
    """
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
    """Adds the full stop or the question mark, and puts the capital at the start."""
    first = tokens[0]
    tokens[0] = first._replace(text=capital + first.text[1:])
    tokens.append(Token("?", (".",), ("?",)) if question else Token(".", (".",)))
    return tokens


def adverbial(words: str, unit: str) -> Tokens:
    """Makes the tokens of a fixed phrase such as ``am/12 Morgen/3``.

    Args:
        words: the words; the digits after a slash name the parts of the phrase that the word
            expresses, and digits after ``~`` the parts that it expresses without a word, as in
            ``утром/3~12``.
        unit: the unit of the phrase, to which the digits are added.
    """
    tokens = []
    for word in words.split():
        form, _, parts = word.partition("/")
        sure, _, possible = parts.partition("~")
        tokens.append(
            Token(form, tuple([unit + part for part in sure]), tuple([unit + p for p in possible]))
        )
    return tokens
