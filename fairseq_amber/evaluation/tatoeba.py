"""Tatoeba as XTREME lays it out, and the lines that were retrieved, as XTREME takes them.

XTREME's folder ``tatoeba`` has the files ``<src>-en.<src>`` and ``<src>-en.en``, without a split in
their names. The English lines are sorted, so that line i does not translate line i: the labels,
``test-<src>.tsv``, have for each English line the number of its source line, counted from 0. A
submission has the same format.
"""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterable, Mapping, NamedTuple, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.parallel_text import (
    ParallelFiles,
    choose_pairs,
    read_order,
    read_parallel,
)
from fairseq_amber.files.results import check_no_folder
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.inference.flags import parallel_files
from fairseq_amber.inference.prediction.submission import submission_path

if TYPE_CHECKING:
    from fairseq_amber.metrics.retrieval import Neighbours

_NAME = re.compile(r"(?P<source>[^.-]+)-(?P<target>[^.-]+)\.(?P<language>[^.]+)")
_SHOWS_ORDER = 10  # lines of which one in 3,600,000 orders is the sorted one


class RetrievalText(NamedTuple):
    """The text of one language pair, aligned.

    Attributes:
        source: the source lines, in the order of the target.
        target: the target lines.
        order: the number of each source line in its file, counted from 0.
    """

    source: list[str]
    target: list[str]
    order: Sequence[int]


def find_tatoeba(folder: Path) -> list[ParallelFiles]:
    """Returns the pairs ``<src>-<tgt>.{<src>,<tgt>}`` of a folder in XTREME's layout, if any.

    Raises:
        UserError: only one side of a pair is there.
    """
    found = []
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        match = _NAME.fullmatch(path.name)
        if match and match["language"] in (match["source"], match["target"]):
            sides = [path.with_suffix("." + match[side]) for side in ("source", "target")]
            for side in sides:
                if not side.is_file():
                    raise UserError(f"{folder} has {path.name} but lacks {side.name}")
            if path == sides[0]:
                found.append(ParallelFiles(path.stem, *sides))
    return found


def retrieval_files(args: argparse.Namespace) -> list[ParallelFiles]:
    """Returns the files that the flags name: those of ``parallel_files``, or of XTREME's layout.

    Raises:
        UserError: see ``parallel_files``; or --gold is a file, but --folder has many.
    """
    if args.folder is None:
        files = parallel_files(args)
        names = [_NAME.fullmatch(path.name) for path in files[0][1:]]
        if all(names) and args.source.stem == args.target.stem:
            return [files[0]._replace(name=args.source.stem)]
        return files
    if args.gold is not None and not args.gold.is_dir():
        raise UserError(
            "--gold goes with --source and --target; with --folder it is the folder of the files "
            f"test-<src>.tsv, and {args.gold} is no folder"
        )
    found = {pair.name: pair for pair in find_tatoeba(args.folder)}
    if found and not any(args.folder.glob(f"{args.split}.*-*.*")):
        return [found[name] for name in choose_pairs(args.pairs, found, args.folder)]
    return parallel_files(args)


def read_aligned(pair: ParallelFiles, gold: Path | None) -> RetrievalText:
    """Returns the lines of both sides, with the source in the order of the target.

    It warns if one side is sorted and the other is not, so that the lines cannot be aligned.

    Args:
        pair: the two files.
        gold: the labels, or a folder with ``test-<src>.tsv``; None if the lines are aligned.

    Raises:
        UserError: a file cannot be read, or the labels are no order of the source lines.
    """
    source, target = read_parallel(pair.source, pair.target)
    if gold is None:
        _warn_of_sorted_side(pair, source, target)
        return RetrievalText(source, target, range(len(source)))
    if gold.is_dir():
        gold /= f"test-{pair.name.partition('-')[0]}.tsv"
    order = read_order(gold, len(target))
    return RetrievalText([source[number] for number in order], target, order)


def _warn_of_sorted_side(pair: ParallelFiles, source: list[str], target: list[str]) -> None:
    sides = {pair.source: source, pair.target: target}
    is_sorted = {
        path: len(set(lines)) >= _SHOWS_ORDER and lines == sorted(lines)
        for path, lines in sides.items()
    }
    if sum(is_sorted.values()) == 1:
        path, other = sorted(sides, key=lambda side: not is_sorted[side])
        warn(
            f"the lines of {path} are sorted, as those of XTREME's Tatoeba, and those of {other} "
            "are not: line i of one hardly translates line i of the other, and no accuracy is "
            "right without --gold, the number of each line's translation"
        )


def write_found(
    folder: Path,
    texts: Mapping[str, RetrievalText],
    found: Mapping[str, Neighbours],
    then: Callable[[], None],
) -> None:
    """Writes what was retrieved for each line; all files appear, or none.

    Lines are numbered from 0, as they stand in the files. ``FOLDER/tatoeba/test-<src>.tsv`` is
    XTREME's submission: for each target line the number of the source line that was found.
    ``FOLDER/<pair>.forward.tsv`` and ``backward.tsv`` have, for each source or target line, the
    number of the line that was found, a tab, and its similarity.

    Args:
        folder: the folder.
        texts: the texts, by pair.
        found: what was retrieved among the aligned lines, by pair.
        then: is called once all is written, before the files get their names.

    Raises:
        UserError: a file cannot be written, or two pairs have the same source language.
    """
    check_output(folder, texts)
    with ExitStack() as files:
        for name, text in texts.items():
            forward, backward = _numbers(text, found[name])
            contents = (
                (f"{number}\n" for number, _ in backward),
                (f"{number}\t{similarity:.6f}\n" for number, similarity in forward),
                (f"{number}\t{similarity:.6f}\n" for number, similarity in backward),
            )
            for path, lines in zip(_found_files(folder, name), contents):
                file = files.enter_context(atomic_writer(path))
                file.writelines(lines)
                file.flush()
        then()


def check_output(folder: Path, pairs: Iterable[str]) -> None:
    """Checks, before the long work, that ``write_found`` can name its files.

    Raises:
        UserError: ``folder`` is a file, a file has the name of a folder, or two pairs have the same
            source language, so that they have one submission.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output {folder} is a file; name a folder")
    sources: dict[str, str] = {}
    for name in pairs:
        other = sources.setdefault(name.partition("-")[0], name)
        if other != name:
            raise UserError(
                f"--output: {other} and {name} have the same source language, which names the file "
                "of a submission; choose one with --pairs"
            )
        for path in _found_files(folder, name):
            check_no_folder(path)


def _found_files(folder: Path, pair: str) -> tuple[Path, Path, Path]:
    """Returns the files of a pair: the submission, and what each source and target line finds."""
    source = pair.partition("-")[0]
    return (
        submission_path(folder, "tatoeba", "test", source, by_id=False),
        folder / f"{pair}.forward.tsv",
        folder / f"{pair}.backward.tsv",
    )


def _numbers(
    text: RetrievalText, found: Neighbours
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Returns the line that each source and each target line of the files retrieves, and its
    similarity."""
    place = {number: index for index, number in enumerate(text.order)}  # of each source line
    targets, sources = found.forward.tolist(), found.backward.tolist()
    similarities = found.forward_scores.tolist()
    forward = [(targets[place[n]], similarities[place[n]]) for n in range(len(targets))]
    backward = zip((text.order[index] for index in sources), found.backward_scores.tolist())
    return forward, list(backward)
