"""``fairseq-amber aer``: scores word alignments against gold."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.results import Result
from fairseq_amber.evaluation.tables import plain_table
from fairseq_amber.evaluation.word_alignment import AlignmentScore, alignment_score, read_pharaoh

SUMMARY = "precision, recall and alignment error rate (AER) of word alignments against gold"
EXAMPLE = "fairseq-amber aer test.de-en.align test.de-en.gold --json aer.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "predicted",
        metavar="PREDICTED",
        type=Path,
        help="alignments in Pharaoh format (0-0 1-2), one sentence pair a line, source index "
        "first; or a folder of files <name>.align",
    )
    parser.add_argument(
        "gold",
        metavar="GOLD",
        type=Path,
        help="the same with i-j for sure and ipj for possible links; or a folder of <name>.gold",
    )
    parser.add_argument(
        "--one-based", action="store_true", help="GOLD counts words from 1, not from 0"
    )
    parser.add_argument("--name", default="", metavar="SYSTEM", help="the system's name in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints one line per pair of files, in percent, and writes the JSON."""
    scores = {
        name: _score(predicted, gold, args.one_based)
        for name, predicted, gold in _files(args.predicted, args.gold)
    }
    result = Result.from_languages(
        task="word_alignment",
        metric="AER",
        system=args.name or args.predicted.stem,
        per_language={
            name: {"score": s.aer, "precision": s.precision, "recall": s.recall, "n": s.n}
            for name, s in scores.items()
        },
        config={"predicted": str(args.predicted), "gold": str(args.gold)},
    )
    rows = [
        [name, str(s.n), f"{s.precision:.2f}", f"{s.recall:.2f}", f"{s.aer:.2f}"]
        for name, s in scores.items()
    ]
    if len(rows) > 1:
        rows.append(["mean", str(result.n), "", "", f"{result.score:.2f}"])
    print(plain_table(["pair", "n", "precision %", "recall %", "AER %"], rows))
    if args.json:
        result.write(args.json)


def _files(predicted: Path, gold: Path) -> list[tuple[str, Path, Path]]:
    """(name, predicted, gold) of a pair of files, or of each prediction in a pair of folders."""
    if predicted.is_dir() != gold.is_dir():
        raise UserError(f"{predicted} and {gold} must be two files or two folders")
    if not gold.is_dir():
        return [(_pair(gold), predicted, gold)]
    predictions = sorted(predicted.glob("*.align"))
    if not predictions:
        raise UserError(f"{predicted} has no files <name>.align (fairseq-amber align --output)")
    files = [(_pair(path), path, gold / f"{path.stem}.gold") for path in predictions]
    for _, path, reference in files:
        if not reference.exists():
            raise UserError(f"{reference} is missing: there is no gold for {path}")
    return files


def _pair(path: Path) -> str:
    """de-en for test.de-en.align; a name without such a part stays whole."""
    return next((part for part in path.name.split(".")[1:-1] if "-" in part), path.name)


def _score(predicted: Path, gold: Path, one_based: bool) -> AlignmentScore:
    references = read_pharaoh(gold, one_based=one_based)
    links = [line.possible for line in read_pharaoh(predicted)]
    if len(links) != len(references):
        raise UserError(
            f"{predicted} has {len(links)} lines but {gold} has {len(references)}; "
            "line i of both must be of the same sentence pair"
        )
    try:
        score = alignment_score(links, references)
    except ValueError as error:
        raise UserError(f"{gold}: {error}") from None
    swapped = alignment_score([{(j, i) for i, j in line} for line in links], references)
    if swapped.aer < score.aer:
        print(
            f"note: {predicted} fits {gold} better with its indices swapped (AER "
            f"{swapped.aer:.2f}); source comes first in both"
        )
    return score
