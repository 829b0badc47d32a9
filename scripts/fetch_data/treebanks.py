"""Turns treebanks of Universal Dependencies into XTREME's tagging files.

Written after what google-research/xtreme @ 838c13b does (third_party/ud-conversion-tools with
--replace_subtokens_with_fused_forms, then utils_preprocess.py): a word that the treebank divides,
such as the French "du" = "de le", stays one word, with the tag of the part that is nearest to the
root of the sentence's graph.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Iterator

from fairseq_amber.errors import UserError

# Which part's tag a divided word has if several parts are equally near to the root.
_ORDER = {
    "es": "VERB AUX PRON ADP DET",
    "fr": "VERB AUX PRON NOUN ADJ ADV ADP DET PART SCONJ CONJ",
    "it": "VERB AUX ADV PRON ADP DET INTJ",
}
_USUAL_ORDER = "VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT"


def tagged_sentences(path: Path, language: str) -> Iterator[list[tuple[str, str]]]:
    """Yields the (word, UPOS) pairs of the sentences of a CoNLL-U file.

    Sentences all of whose words are ``_``, or all but one, are left out: treebanks without their
    text. Spaces and U+200C inside words are removed.

    Raises:
        UserError: a line has not ten columns, or a divided word no parts.
    """
    with open(path, encoding="utf-8") as file:
        for rows in _sentences(file, path):
            words = _words(rows, language, path)
            hidden = sum(word == "_" for word, _ in words)
            if words and (not hidden or hidden < len(words) - 1):
                cleaned = ((re.sub("[ \u200c]", "", word), tag) for word, tag in words)
                yield [(word, tag) for word, tag in cleaned if word]


def _sentences(lines: Iterable[str], path: Path) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if not line:
            if rows:
                yield rows
            rows = []
        elif not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) != 10:
                raise UserError(f"{path}:{number}: expected 10 columns, found {len(columns)}")
            rows.append(columns)
    if rows:
        yield rows


def _words(rows: list[list[str]], language: str, path: Path) -> list[tuple[str, str]]:
    """Returns the words of a sentence as they are written, with their tags; ids may be missing."""
    tokens = {int(row[0]): row for row in rows if row[0].isdigit()}
    divided = {}  # the words that the treebank divides, by their first part
    for row in rows:
        span = re.fullmatch(r"(\d+)-(\d+)", row[0])
        if span:
            parts = [part for part in sorted(tokens) if int(span[1]) <= part <= int(span[2])]
            if not parts:
                raise UserError(f"{path}: {row[1]!r} has the id {row[0]}, but no parts; mend it")
            divided[parts[0]] = (parts, row[1])
    words = []
    last = 0
    for number in sorted(tokens):
        if number > last:
            parts, form = divided.get(number, ([number], tokens[number][1]))
            words.append((form, tokens[_head(parts, tokens, language)][3]))
            last = parts[-1]
    return words


def _head(span: Iterable[int], tokens: dict[int, list[str]], language: str) -> int:
    """Returns the part with the fewest ancestors; among equals, by the order of their tags."""
    order = _ORDER.get(language, _USUAL_ORDER).split()
    return min(
        span,
        key=lambda part: (
            len(_ancestors(part, tokens)),
            order.index(tokens[part][3]) if tokens[part][3] in order else len(order),
        ),
    )


def _ancestors(token: int, tokens: dict[int, list[str]]) -> set[int]:
    """Returns all ancestors, over the basic and the enhanced edges, without the token itself."""
    found: set[int] = set()
    waiting = [token]
    while waiting:
        row = tokens.get(waiting.pop())
        if row is None:
            continue
        heads = [row[6], *(edge.split(":")[0] for edge in row[8].split("|"))]
        for head in (int(head) for head in heads if head.isdigit()):
            if head not in found:
                found.add(head)
                waiting.append(head)
    return found - {token}
