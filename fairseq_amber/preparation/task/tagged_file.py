"""Reads files of tagged sentences: one word and its label a line, an empty line after a sentence.

The usual form is XTREME's, ``word<TAB>label``, or the word alone in a test file. Others are read as
well: columns that spaces separate, as CoNLL's shared tasks have them, CoNLL-U, and the files of
PAN-X as they are distributed, where ``de:`` stands before every word. Real files have two empty
lines in a row, comments and words without a character; a warning counts them.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.text import read_lines
from fairseq_amber.preparation.task.labels import check_blanks

_FORM = "a line is word<TAB>label, and an empty line ends a sentence"
_COLUMNS = "say which columns hold word and label by --columns, such as --columns 1,4"
_CONLLU_ID = re.compile(r"\d+([-.]\d+)?")
_CONLLU_COLUMNS, _CONLLU_WORD, _CONLLU_TAG = 10, 1, 3
_NER_LABEL = re.compile(r"O|[BIESLUM]-.+")
_FEW_LABELS = 20  # more than one label for each word of a short text mean nothing
_PANX_PREFIX = re.compile(r"[a-z][a-z-]*:")


class TaggedFile(NamedTuple):
    """The sentences of a file, which have W words in all.

    Attributes:
        path: the file.
        words: W words.
        labels: W labels, "" where a word has none.
        lines: W numbers, the line of each word, counted from 1.
        sentence_lengths: the number of words of each of N sentences.
        gaps: N + 1 numbers of lines that have no word, such as empty lines and comments: those
            before each sentence, and those after the last.
    """

    path: Path
    words: list[str]
    labels: list[str]
    lines: list[int]
    sentence_lengths: list[int]
    gaps: list[int]

    def line(self, index: int) -> int:
        """Returns the line of a word, counted from 1."""
        return self.lines[index]


class _Row(NamedTuple):
    """A line with a word.

    Attributes:
        number: the number of the line, counted from 1.
        columns: its columns.
    """

    number: int
    columns: list[str]


class _Lines(NamedTuple):
    """The lines of a file by what they are.

    Attributes:
        rows: the lines with a word.
        empty: the numbers of the empty lines.
        documents: the numbers of the lines with ``-DOCSTART-``, which end a sentence, too.
        comments: the numbers of the comments.
        usual: the number of columns that most rows have.
        total: the number of lines.
    """

    rows: list[_Row]
    empty: list[int]
    documents: list[int]
    comments: list[int]
    usual: int
    total: int


def read_tagged(
    path: Path, *, labelled: bool, task: str = "pos", columns: Sequence[int] | None = None
) -> TaggedFile:
    """Reads all sentences of a file. A word may hold any characters but the columns' separator.

    Lines that have no word are left out, and so are CoNLL-U's lines of words that are divided
    (``1-2``) or not written (``1.1``). A warning counts them. A word may be empty.

    Args:
        path: the file.
        labelled: whether every word must have a label. In XTREME's test files the labels, and the
            tabs before them, may be absent.
        task: pos or ner. It decides which of many columns are read.
        columns: the columns of word and label, counted from 1; by default the only two, those of
            CoNLL-U for pos, or the first and the last for ner, if the last has the labels of
            entities.

    Raises:
        UserError: the file cannot be read or has no words, a line has other columns than most, the
            columns of word and label are not known, or a label is missing; the message names the
            line.
    """
    read = _split(read_lines(path))
    if not read.rows:
        raise UserError(f"{path}:1: a file with no words; {_FORM}")
    _check_widths(path, read)
    conllu = read.usual == _CONLLU_COLUMNS and _all_match(_CONLLU_ID, read.rows, 0)
    word, label = _word_and_label(path, read, conllu, task, columns)
    rows = [row for row in read.rows if not conllu or row.columns[0].isdigit()]
    left_out = len(read.rows) - len(rows)
    texts = (row.columns[word] for row in rows)
    words = [text if text.strip(" ") else "" for text in texts]
    labels = [row.columns[label].strip() if len(row.columns) > label else "" for row in rows]
    if conllu:
        labels = ["" if text == "_" else text for text in labels]
    prefix = _panx_prefix(words) if task == "ner" else ""
    words = [text[len(prefix) :].strip(" ") if prefix else text for text in words]
    numbers = [row.number for row in rows]
    lengths, gaps, spare = _sentences(numbers, read)
    file = TaggedFile(path, words, labels, numbers, lengths, gaps)
    check_blanks(file, required=labelled)
    notes = _oddities(file, read, spare)
    kinds = len(set(labels))
    if kinds > max(len(set(words)), _FEW_LABELS):
        notes.append(
            f"it has {kinds:,} different labels, more than words: if words and labels are in each "
            f"other's column, give --columns {label + 1},{word + 1}"
        )
    if prefix:
        notes.append(f"{prefix} is taken off every word")
    if left_out:
        notes.append(f"CoNLL-U's lines such as 1-2 and 1.1, which are left out: {left_out:,}")
    if read.usual > 2:
        notes.append(
            f"of its {read.usual} columns, {word + 1} is the word and {label + 1} the label "
            "(choose others by --columns)"
        )
    if notes:
        warn(f"{path}: {'; '.join(notes)}")
    return file


def _split(lines: Sequence[str]) -> _Lines:
    """Splits the lines into columns: at tabs if there are any, else at spaces, if most lines have
    the same number of columns."""
    empty, documents, rows = [], [], []
    tabs = any("\t" in line for line in lines if line.strip(" \t"))
    for number, line in enumerate(lines, 1):
        if not line.strip(" \t"):
            empty.append(number)
        elif line.startswith("-DOCSTART-"):
            documents.append(number)
        else:
            columns = line.split("\t") if tabs else [part for part in line.split(" ") if part]
            rows.append(_Row(number, columns))
    widths = Counter(len(row.columns) for row in rows)
    usual = max(widths, key=lambda width: (widths[width], -width), default=0)
    usual = max(usual, 2) if tabs else usual
    comments = [row.number for row in rows if row.columns[0][:1] == "#" and _is_comment(row, usual)]
    left_out = set(comments)
    words = [row for row in rows if row.number not in left_out]
    if usual == 1 and not tabs:  # the spaces are parts of words
        words = [_Row(row.number, [lines[row.number - 1]]) for row in words]
    return _Lines(words, empty, documents, comments, usual, len(lines))


def _is_comment(row: _Row, usual: int) -> bool:
    """Tells a comment from the word "#": it has other columns, or is an id, as MultiCoNER's."""
    first, width = row.columns[0], len(row.columns)
    if first == "#":
        return 1 < width != usual or (width > 2 and row.columns[1] == "id")
    return first.startswith("# ") and width != usual


def _check_widths(path: Path, read: _Lines) -> None:
    for number, columns in read.rows:
        if len(columns) > max(read.usual, 2) or (read.usual > 2 and len(columns) < read.usual):
            found = f"{len(columns)} column{'s' if len(columns) > 1 else ''}"
            form = f"most lines have {read.usual}; mend it" if read.usual > 2 else _FORM
            raise UserError(f"{path}:{number}: {found}; {form}")


def _word_and_label(
    path: Path, read: _Lines, conllu: bool, task: str, columns: Sequence[int] | None
) -> tuple[int, int]:
    """Returns the columns of word and label, counted from 0."""
    first = read.rows[0]
    if columns is not None:
        word, label = columns
        if word > read.usual or label > max(read.usual, 2):
            raise UserError(
                f"{path}:{first.number}: {read.usual} columns, but --columns {word},{label}"
            )
        return word - 1, label - 1
    if read.usual <= 2:
        return 0, 1
    if conllu and task == "pos":
        return _CONLLU_WORD, _CONLLU_TAG
    numbered = all(row.columns[0].isdigit() for row in read.rows)
    if task == "ner" and not numbered and _all_match(_NER_LABEL, read.rows, -1):
        return 0, read.usual - 1
    raise UserError(f"{path}:{first.number}: {read.usual} columns; {_FORM}; {_COLUMNS}")


def _all_match(pattern: re.Pattern, rows: Sequence[_Row], column: int) -> bool:
    return all(pattern.fullmatch(row.columns[column].strip()) for row in rows)


def _panx_prefix(words: Sequence[str]) -> str:
    """Returns the language that stands before every word, such as ``de:``; "" if there is none."""
    match = _PANX_PREFIX.match(words[0])
    if match is None or len(words) < 2 or not all(word.startswith(match[0]) for word in words):
        return ""
    return match[0]


class _Sentences(NamedTuple):
    """Where the sentences are.

    Attributes:
        lengths: ``TaggedFile.sentence_lengths``.
        gaps: ``TaggedFile.gaps``.
        spare: the numbers of the empty lines before the last word that end no sentence.
    """

    lengths: list[int]
    gaps: list[int]
    spare: list[int]


def _sentences(words: Sequence[int], read: _Lines) -> _Sentences:
    """Finds the sentences.

    Args:
        words: the numbers of the words' lines; others may have columns that are not read.
        read: the lines.
    """
    kinds = {row.number: "unread" for row in read.rows}
    kinds.update(dict.fromkeys(words, "word"))
    kinds.update(dict.fromkeys(read.empty, "end"))
    kinds.update(dict.fromkeys(read.documents, "document"))
    found = _Sentences([], [0], [])
    within = False
    for number in range(1, read.total + 1):
        kind = kinds.get(number, "comment")
        if kind == "word":
            if not within:
                found.lengths.append(0)
                found.gaps.append(0)
            within = True
            found.lengths[-1] += 1
        elif kind != "unread":
            after_document = kinds.get(number - 1) == "document"
            if kind == "end" and not within and not after_document and number < words[-1]:
                found.spare.append(number)
            within = within and kind == "comment"
            found.gaps[-1] += not within
    return found


def _oddities(file: TaggedFile, read: _Lines, spare: Sequence[int]) -> list[str]:
    """Returns the counts of what is not as in XTREME's files."""
    blank = [line for line, word in zip(file.lines, file.words) if not word]
    counts = {
        "empty lines that end no sentence": spare,
        "empty words, read as <unk>": blank,
        "lines -DOCSTART-": read.documents,
        "comments": read.comments,
    }
    return [
        f"{what}: {len(numbers):,} (the first in line {numbers[0]})"
        for what, numbers in counts.items()
        if numbers
    ]
