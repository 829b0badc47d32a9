"""The texts that ``fairseq-amber align`` reads, and what splits their lines into words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple, Sequence

from fairseq_amber.errors import UserError, one_line, warn
from fairseq_amber.files.parallel_text import (
    ParallelFiles,
    language_of,
    read_joined,
    read_parallel,
)
from fairseq_amber.inference.flags import check_no_folder_flags, parallel_files
from fairseq_amber.tokenizers.word_splitters import Splitter, check_splitter, word_splitter


class Text(NamedTuple):
    """A parallel text.

    Attributes:
        name: the language pair, or the name of the file.
        source: the source sentences.
        target: the target sentences.
        splitters: what splits the sentences of each side into words.
    """

    name: str
    source: list[str]
    target: list[str]
    splitters: tuple[Splitter, Splitter]


def read_texts(args: argparse.Namespace) -> list[Text]:
    """Reads the texts that the flags name, and warns of lines that are one word each.

    Raises:
        UserError: the flags name no text, or more than one kind; a file cannot be read; or the
            language of a side is not known, but --word-boundaries needs it.
    """
    files = _files(args)
    splitters = [_splitters(pair, args) for pair in files]
    texts = []
    for pair, splits in zip(files, splitters):
        sides = (
            read_parallel(pair.source, pair.target)
            if args.text is None
            else (read_joined(args.text))
        )
        if args.units == "words" and args.word_boundaries == "spaces":
            for path, lines in zip(pair[1:], sides):
                _warn_of_other_spaces(path, lines)
        texts.append(Text(pair.name, *sides, splits))
    return texts


def _files(args: argparse.Namespace) -> list[ParallelFiles]:
    """Returns the files of each text; both sides of --text are in the same file."""
    if args.text is None:
        return parallel_files(args)
    if any(path is not None for path in (args.folder, args.source, args.target)):
        raise UserError("--text is in place of --folder and of --source and --target")
    check_no_folder_flags(args, "--text")
    return [ParallelFiles(one_line(args.text.name), args.text, args.text)]


def _splitters(pair: ParallelFiles, args: argparse.Namespace) -> tuple[Splitter, Splitter]:
    """Returns the splitters of both sides, whose language is by default that in a file's name."""
    given = args.source_language, args.target_language
    if args.folder is not None and any(given):
        raise UserError("--folder names the languages; leave --source-language and the like out")
    languages: Sequence[str | None] = given
    if args.text is None:  # the one file of --text cannot be named after two languages
        languages = [flag or language_of(path) for flag, path in zip(given, pair[1:])]
    source, target = (
        _splitter(args.word_boundaries, path, language, f"--{side}-language")
        for path, language, side in zip(pair[1:], languages, ("source", "target"))
    )
    return source, target


def _splitter(kind: str, path: Path, language: str | None, flag: str) -> Splitter:
    if kind == "moses":
        if language is None:
            raise UserError(
                f"--word-boundaries moses: {path} is not named <split>.<src>-<tgt>.<lang>; give "
                f"its language with {flag}"
            )
        check_splitter(kind, [language])
    return word_splitter(kind, language)


def _warn_of_other_spaces(path: Path, lines: Sequence[str]) -> None:
    """Warns of lines that only spaces outside ASCII separate, since each of them is one word."""
    split = word_splitter("spaces")
    found = [n for n, line in enumerate(lines, 1) if len(line.split()) > 1 == len(split(line))]
    if found:
        warn(
            f"{path}: {len(found)} lines, the first {found[0]}, have only spaces outside ASCII, "
            "such as U+3000, and are one word each; if these separate words, give "
            "--word-boundaries white-space"
        )
