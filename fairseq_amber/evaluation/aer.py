"""``fairseq-amber aer``: scores word alignments against gold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Mapping, NamedTuple

import numpy as np

from fairseq_amber.errors import UserError, one_line, warn
from fairseq_amber.files.compressed import SUFFIXES, plain_name
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.results import Result, check_place
from fairseq_amber.files.tables import plain_table
from fairseq_amber.inference.word_alignment.link_checks import (
    CountsFromOne,
    warn_of_links_outside,
    warn_of_misfit,
)
from fairseq_amber.inference.word_alignment.link_files import (
    AlignmentFile,
    format_pharaoh,
    read_alignments,
)
from fairseq_amber.inference.word_alignment.provenance import merged, read_settings, settings_path
from fairseq_amber.metrics.word_alignment import Links, link_counts, score_of
from fairseq_amber.progress import heartbeat

SUMMARY = "precision, recall and alignment error rate (AER) of word alignments against gold"
EXAMPLE = "fairseq-amber aer test.de-en.align test.de-en.gold --json aer.json"
WRITES = ("json",)


class _Scored(NamedTuple):
    """The score of one pair of files.

    Attributes:
        counts: (N, 4), the links of each sentence pair, counted by ``link_counts``.
        digest: the digest of the gold alignments.
    """

    counts: np.ndarray
    digest: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    parser.add_argument(
        "predicted",
        metavar="PREDICTED",
        type=Path,
        help="predicted alignments in Pharaoh's format (0-0 1-2: one line per sentence pair, "
        "source index first) or in NAACL's format (1 1 1 S: one line per link); or a folder of "
        "files <name>.align",
    )
    parser.add_argument(
        "gold",
        metavar="GOLD",
        type=Path,
        help="gold alignments in one of these formats, or in TALP's: i-j or isj is a sure link, "
        "ipj or i?j a possible one; or a folder of files <name>.gold, <name>.talp or <name>.naacl",
    )
    parser.add_argument(
        "--one-based",
        action="store_true",
        help="the word indices in GOLD start at 1, as those of TALP's tools, in place of 0; those "
        "of NAACL's format always start at 1",
    )
    parser.add_argument(
        "--one-based-predicted",
        action="store_true",
        help="those in PREDICTED start at 1",
    )
    parser.add_argument(
        "--name", default="", metavar="SYSTEM", help="name of the system in reports"
    )
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints one row per pair of files, in percent, and writes the JSON."""
    if args.json:
        check_place(args.json)
    files = _files(args.predicted, args.gold)
    from_one = CountsFromOne(args.one_based_predicted, args.one_based)
    made_with = {name: _settings(predicted) for name, predicted, _ in files}
    scored = {
        name: _score(predicted, gold, made_with[name], from_one) for name, predicted, gold in files
    }
    settings = merged(made_with)
    scores = {name: score_of(pair.counts) for name, pair in scored.items()}
    result = Result.from_languages(
        task="word_alignment",
        metric="AER",
        system=args.name or args.predicted.stem,
        per_language={
            name: {
                "score": s.aer,
                "precision": s.precision,
                "recall": s.recall,
                "n": s.n,
                "test_digest": scored[name].digest,
            }
            for name, s in scores.items()
        },
        config={**settings, "predicted": str(args.predicted), "gold": str(args.gold)},
    )
    rows = [
        [name, str(s.n), f"{s.precision:.2f}", f"{s.recall:.2f}", f"{s.aer:.2f}"]
        for name, s in scores.items()
    ]
    if len(rows) > 1:
        rows.append(["mean", str(result.n), "", "", f"{result.score:.2f}"])
    print(plain_table(["pair", "n", "precision %", "recall %", "AER %"], rows))
    if settings:
        print(one_line("; ".join(f"{key}: {value}" for key, value in settings.items())))
    if args.json:
        outcomes = {name: {"score": _outcomes(pair.counts)} for name, pair in scored.items()}
        result.write(args.json, outcomes)


def _files(predicted: Path, gold: Path) -> list[tuple[str, Path, Path]]:
    """Returns the files to score, as (name, predicted, gold).

    They are two given files, or every prediction of a folder with its gold in the other folder.
    """
    if predicted.is_dir() != gold.is_dir():
        raise UserError(f"{predicted} and {gold} must be two files or two folders")
    if not gold.is_dir():
        return [(_pair_name(gold), predicted, gold)]
    predictions = sorted(
        path for path in predicted.iterdir() if plain_name(path.name).endswith(".align")
    )
    if not predictions:
        raise UserError(f"{predicted} has no files <name>.align (fairseq-amber align --output)")
    names = [_pair_name(path) for path in predictions]
    if len(set(names)) < len(names):  # the folder holds several splits of a language pair
        names = [_stem(path) for path in predictions]
    return [(name, path, _gold_of(path, gold)) for name, path in zip(names, predictions)]


def _gold_of(path: Path, folder: Path) -> Path:
    """Returns the gold file in a folder that belongs to a file of predictions."""
    names = [f"{_stem(path)}{suffix}" for suffix in (".gold", ".talp", ".naacl")]
    for candidate in (folder / f"{name}{ending}" for name in names for ending in ("", *SUFFIXES)):
        if candidate.exists():
            return candidate
    raise UserError(f"{folder / names[0]} is missing: there is no gold for {path}")


def _stem(path: Path) -> str:
    """Returns a file's name without its ending, and without that of a compressed file."""
    return Path(plain_name(path.name)).stem


def _pair_name(path: Path) -> str:
    """Returns the language pair in a file's name, or else the whole name.

    The name test.de-en.align holds the pair ``de-en``.
    """
    name = one_line(plain_name(path.name))
    return next((part for part in name.split(".")[1:-1] if "-" in part), name)


def _settings(predicted: Path) -> dict[str, Any]:
    """Returns the settings with which alignments were made, as far as they are known."""
    settings = read_settings(predicted)
    if settings is None and settings_path(predicted).exists():
        warn(
            f"{settings_path(predicted)} belongs to other alignments, so that the settings of "
            f"{predicted.name} are not known"
        )
    return settings or {}


def _score(
    predicted: Path, gold: Path, settings: Mapping[str, Any], from_one: CountsFromOne
) -> _Scored:
    """Scores one pair of files, and warns of alignments that do not fit their gold."""
    files = predicted, gold
    found, reference = (
        read_alignments(path, one_based=flag) for path, flag in zip(files, from_one)
    )
    read_so = CountsFromOne(
        *(flag or not f.complete for flag, f in zip(from_one, (found, reference)))
    )
    found, reference = _filled(found, len(reference.pairs)), _filled(reference, len(found.pairs))
    if len(found.pairs) != len(reference.pairs):
        raise UserError(
            f"{predicted} has {len(found.pairs)} sentence pairs but {gold} has "
            f"{len(reference.pairs)}; number i of both must be the same pair"
        )
    links = [pair.possible for pair in found.pairs]
    try:
        with heartbeat(f"scoring {predicted}"):
            counts = link_counts(links, reference.pairs)
            warn_of_misfit(files, links, reference.pairs, score_of(counts).aer, read_so)
    except ValueError as error:
        raise UserError(f"{gold}: {error}") from None
    made_with = {"units": "words", "word_boundaries": "spaces", **settings}
    if made_with["units"] == "words" and made_with["word_boundaries"] == "spaces":
        warn_of_links_outside(files, found.pairs, reference.pairs)
    texts = ((format_pharaoh(pair.sure), format_pharaoh(pair.possible)) for pair in reference.pairs)
    return _Scored(counts, digest_of(*texts))


def _filled(file: AlignmentFile, pairs: int) -> AlignmentFile:
    """Adds empty pairs at the end of a file, since NAACL's format omits pairs without links."""
    if file.complete or len(file.pairs) >= pairs:
        return file
    no_links = Links(frozenset(), frozenset())
    return file._replace(pairs=file.pairs + [no_links] * (pairs - len(file.pairs)))


def _outcomes(counts: np.ndarray) -> np.ndarray:
    """Returns (N, 2): for each pair numerator and denominator of 1 - AER; see ``metrics.outcomes``.

    Args:
        counts: (N, 4), the links of each sentence pair, counted by ``link_counts``.
    """
    n_links, n_sure, in_sure, in_possible = counts.T
    return np.stack([in_sure + in_possible, n_links + n_sure], axis=1)
