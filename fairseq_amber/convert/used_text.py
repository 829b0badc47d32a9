"""The text that a vocabulary is trimmed to: finds it, counts its subwords, compares two cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Iterator, NamedTuple, Sequence

import numpy as np

from fairseq_amber.convert.vocabulary import Vocabulary, read_symbols
from fairseq_amber.data.finetuning.task_folder import TASK_NAME, TaskFolder
from fairseq_amber.data.token_check import check_tokens
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.raw_names import find_texts
from fairseq_amber.files.text import TextFile, blocks, check_file, read_block, warn_of_text
from fairseq_amber.progress import Progress, heartbeat
from fairseq_amber.tokenizers.dictionary import check_trained_with, fingerprint
from fairseq_amber.tokenizers.fairseq_order import EOS
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME, SPACE, Subwords


class UsedText(NamedTuple):
    """The text of a path.

    Attributes:
        path: the path.
        files: the files of text; none if the path is a folder of token ids.
        ids: (V,) int64, how often each of the V symbols of the vocabulary occurs in the folder of
            token ids; zeros if the path holds text.
    """

    path: Path
    files: list[TextFile]
    ids: np.ndarray


def read_used_text(path: Path, vocabulary: Vocabulary, model: str) -> UsedText:
    """Finds and checks the text of a path.

    Args:
        path: a file of text, a folder of raw text (see ``find_texts``), or a folder of token ids
            that ``fairseq-amber prepare`` or ``prepare-task`` has written.
        vocabulary: the vocabulary, of which token ids must be.
        model: the name of the model that has the vocabulary, for error messages.

    Raises:
        UserError: the path is none of these, its text cannot be read, or its token ids are of
            another vocabulary.
    """
    ids = np.zeros(len(vocabulary.symbols), np.int64)
    if (path / DICTIONARY_NAME).is_file():
        _check_dictionaries(path, vocabulary, model)
        for tokens in _token_ids(path, len(ids)):
            ids += np.bincount(tokens, minlength=len(ids))
        return UsedText(path, [], ids)
    paths = [path]
    if path.is_dir():
        groups = (files for sources in find_texts(path).values() for files in sources)
        paths = sorted({file for files in groups for file in files})
    elif path.exists() and not path.is_file():
        raise UserError(f"{path} can be read only once, as a pipe; write its text to a file")
    with heartbeat(f"checking {path}"):
        files = [check_file(file) for file in paths]
    for file in files:
        warn_of_text(file)
    return UsedText(path, files, ids)


def _check_dictionaries(folder: Path, vocabulary: Vocabulary, model: str) -> None:
    """Checks the dictionary of a folder, and its copies, which may be others in made folders."""
    wanted = fingerprint(vocabulary)
    checked = set()
    for path in sorted(folder.rglob("dict*.txt")):
        data = read_bytes(path)
        if data not in checked:
            found = Vocabulary(read_symbols(data, str(path)), {}, str(path))
            remedy = "prepare the text with --tokenizer and this model's files, or give the text"
            check_trained_with(found, wanted, path=path, checkpoint=model, remedy=remedy)
            checked.add(data)


def _token_ids(folder: Path, symbols: int) -> Iterator[np.ndarray]:
    """Yields the token ids of a folder in parts, each (n,).

    Raises:
        UserError: the folder holds none, or a file is damaged.
    """
    if (folder / TASK_NAME).is_file():
        yield from _ids_of_task(TaskFolder.open(folder), symbols)
        return
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*.idx")))
    prefixes = [path.with_suffix("") for path in found if path.parts[0][0] != "."]
    if not prefixes:
        raise UserError(
            f"{folder} has a {DICTIONARY_NAME} but no binarised text: prepare it with "
            "fairseq-amber prepare, or give its text"
        )
    files = [TokenFile(folder / prefix) for prefix in prefixes]
    total = sum(file.tokens for file in files)
    with Progress(total=total, unit="subwords", what=f"counting {folder}") as progress:
        for file in files:
            check_tokens(file, symbols, EOS)
            for _, tokens, _ in file.blocks():
                yield tokens
                progress.update(len(tokens))


def _ids_of_task(task: TaskFolder, symbols: int) -> Iterator[np.ndarray]:
    for split in task.splits:
        for language in task.languages(split):
            arrays = task.arrays(split, language)
            for name in task.kind.subwords:
                tokens = arrays[name]
                if len(tokens) and not 0 <= tokens.min() <= tokens.max() < symbols:
                    raise task.damaged(task.path / f"{split}.{language}.npz")
                yield tokens


def count_pieces(
    texts: Sequence[UsedText], subwords: Subwords, vocabulary: Vocabulary
) -> np.ndarray:
    """Counts how often the texts use each piece.

    Args:
        texts: the texts.
        subwords: the tokenizer, with P pieces.
        vocabulary: the vocabulary of the token ids.

    Returns:
        (P,) int64; 0 for special tokens.

    Raises:
        UserError: a text has no piece that can be seen.
    """
    rows = {symbol: row for row, symbol in enumerate(vocabulary.symbols)}
    special = np.array([piece is None for piece in subwords.pieces])
    bare = np.array([not (piece or "").strip(SPACE) for piece in subwords.pieces])
    row_of = np.array([rows.get(piece or "", -1) for piece in subwords.pieces])
    counts = np.zeros(len(subwords.pieces), np.int64)
    total = sum(file.lines for text in texts for file in text.files)
    with Progress(total=total, unit="lines", what="counting subwords") as progress:
        for text in texts:
            found = np.where(row_of < 0, 0, text.ids[row_of])
            for lines in _blocks(text.files, progress):
                numbers, lengths = subwords.encode(lines)
                found += np.bincount(numbers, minlength=len(found))
                unknown = np.repeat(np.arange(len(lines)), lengths)[special[numbers]]
                begun = subwords.beginnings_of_unknown([lines[i] for i in np.unique(unknown)])
                found += np.bincount(begun, minlength=len(found))
            if not found[~bare].any():
                raise UserError(
                    f"{text.path} has no subword that {vocabulary.source} knows; give text of the "
                    "languages that the model is for"
                )
            counts += found
    counts[special] = 0
    return counts


def lines_cut_otherwise(
    files: Sequence[TextFile], before: Subwords, after: Subwords
) -> tuple[int, int]:
    """Counts the lines that two tokenizers cut into different pieces.

    Args:
        files: the files of text.
        before: a tokenizer.
        after: a tokenizer whose pieces ``before`` has, too.

    Returns:
        The number of these lines, and that of all lines.
    """
    places = {piece: place for place, piece in enumerate(before.pieces)}
    places[None] = -1  # the special tokens, of which only the unknown one comes from text
    tables = [np.array([places[piece] for piece in each.pieces]) for each in (before, after)]
    count = 0
    total = sum(file.lines for file in files)
    with Progress(total=total, unit="lines", what="comparing the cuts") as progress:
        for lines in _blocks(files, progress):
            encoded = [each.encode(lines) for each in (before, after)]
            (first, lengths), (second, others) = (
                (table[numbers], sizes) for table, (numbers, sizes) in zip(tables, encoded)
            )
            same = lengths == others
            wrong = first[np.repeat(same, lengths)] != second[np.repeat(same, others)]
            row = np.repeat(np.flatnonzero(same), lengths[same])
            count += int(np.count_nonzero(~same)) + len(np.unique(row[wrong]))
    return count, total


def _blocks(files: Iterable[TextFile], progress: Progress) -> Iterator[list[str]]:
    for file in files:
        for block in blocks(file):
            lines = read_block(block)
            yield lines
            progress.update(len(lines))
