"""Warns of word alignments that do not fit their gold: swapped, shifted by one, or out of range."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, NamedTuple, Sequence

from fairseq_amber.errors import UserError, warn
from fairseq_amber.files.parallel_text import read_parallel
from fairseq_amber.metrics.word_alignment import Link, Links, alignment_score
from fairseq_amber.tokenizers.word_splitters import word_splitter

# Other readings of the predictions: whether source and target are swapped, and what is added.
_READINGS = {
    (True, 0): "its indices swapped",
    (False, 1): "its indices higher by one",
    (False, -1): "its indices lower by one",
    (True, 1): "its indices swapped and higher by one",
    (True, -1): "its indices swapped and lower by one",
}
_MUCH_BETTER = 5.0  # points of AER; among neighbouring words a wrong shift may be a little better


class CountsFromOne(NamedTuple):
    """Which files were read as counting words from 1, by a flag or by NAACL's format.

    Attributes:
        predicted: those of the predictions.
        gold: those of the gold.
    """

    predicted: bool = False
    gold: bool = False


def warn_of_misfit(
    files: tuple[Path, Path],
    predicted: Sequence[Iterable[Link]],
    gold: Sequence[Links],
    aer: float,
    from_one: CountsFromOne,
) -> None:
    """Warns if the predictions would fit the gold better with swapped or shifted indices.

    Args:
        files: the files of the predictions and of the gold.
        predicted: the predicted links of N pairs.
        gold: the gold links of the same pairs.
        aer: their alignment error rate, in percent.
        from_one: how the files were read.
    """
    scores = {
        (swap, shift): alignment_score(_read(predicted, swap, shift), gold).aer
        for swap, shift in _READINGS
    }
    swap, shift = min(scores, key=lambda reading: scores[reading])
    remedies = _shift_remedies(shift, files, predicted, gold, from_one)
    if not remedies or min(scores[True, 0], aer) - scores[swap, shift] < _MUCH_BETTER:
        swap, shift, remedies = True, 0, []  # a shift does not explain much
        if scores[True, 0] >= aer:
            return
    remedies = ["the source index comes first in both"] * swap + [" or, ".join(remedies)]
    warn(
        f"{files[0]} fits {files[1]} better with {_READINGS[swap, shift]} (AER "
        f"{scores[swap, shift]:.2f}); {'; '.join(filter(None, remedies))}"
    )


def _read(predicted: Sequence[Iterable[Link]], swap: bool, shift: int) -> list[set[Link]]:
    """Returns the links in another reading."""
    return [
        {(j + shift, i + shift) if swap else (i + shift, j + shift) for i, j in line}
        for line in predicted
    ]


def _shift_remedies(
    shift: int,
    files: tuple[Path, Path],
    predicted: Sequence[Iterable[Link]],
    gold: Sequence[Links],
    from_one: CountsFromOne,
) -> list[str]:
    """Returns what to do if a file counts otherwise than it was read; nothing if none seems to."""
    sides = [
        {link for line in predicted for link in line},
        {link for pair in gold for link in pair.possible},
    ]
    if shift == 0 or min(map(len, sides)) < 2:  # one link shows no shift
        return []
    flags = ("--one-based-predicted", "--one-based")
    too_high, too_low = (0, 1) if shift < 0 else (1, 0)
    remedies = []
    if not from_one[too_high] and (0, 0) not in sides[too_high]:
        remedies.append(f"if {files[too_high]} counts from 1, give {flags[too_high]}")
    if from_one[too_low]:
        remedies.append(
            f"if {files[too_low]} counts from 0, leave {flags[too_low]} out (NAACL's format always "
            "counts from 1)"
        )
    return remedies


def warn_of_links_outside(
    files: tuple[Path, Path], predicted: Sequence[Links], gold: Sequence[Links]
) -> None:
    """Warns of links to words that their sentences do not have, if the text lies beside the gold.

    The text of test.de-en.gold is test.de-en.de and test.de-en.en. Text that cannot be read or has
    another number of lines is passed over, since the score does not need it.

    Args:
        files: the files of the predictions and of the gold.
        predicted: the predicted links of N pairs.
        gold: the gold links of the same pairs.
    """
    text = _text_beside(files[1])
    try:
        lines = None if text is None else read_parallel(*text)
    except UserError:
        lines = None
    if text is None or lines is None or len(lines[0]) != len(gold):
        return
    split = word_splitter("spaces")
    sizes = [(len(split(source)), len(split(target))) for source, target in zip(*lines)]
    for path, pairs in zip(files, (predicted, gold)):
        outside = [
            (number, link, size)
            for number, (pair, size) in enumerate(zip(pairs, sizes), 1)
            for link in sorted(pair.possible)
            if link[0] >= size[0] or link[1] >= size[1]
        ]
        if outside:
            number, (i, j), (source, target) = outside[0]
            warn(
                f"{path}: {len(outside)} links lie outside their sentences, the first in pair "
                f"{number}: {i}-{j}, counted from 0, but spaces separate {source} and {target} "
                f"words in {text[0]} and {text[1].name}; links and text must have the same words"
            )


def _text_beside(gold: Path) -> tuple[Path, Path] | None:
    """Returns the two files of the text of a gold file, if they lie beside it."""
    split, _, pair = gold.stem.rpartition(".")
    source, _, target = pair.partition("-")
    if not (split and source and target):
        return None
    paths = [gold.with_name(f"{gold.stem}.{language}") for language in (source, target)]
    return (paths[0], paths[1]) if all(path.is_file() for path in paths) else None
