"""``fairseq-amber aer``: scores word alignments against gold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple

import numpy as np

from fairseq_amber.errors import UserError, one_line, warn
from fairseq_amber.evaluation.alignment_files import FilesByLayer, ScoredFiles, find_alignments
from fairseq_amber.evaluation.layer_table import CHOSEN_ON_TEST_DATA, layer_table
from fairseq_amber.files.digest import digest_of
from fairseq_amber.files.results import Result, check_place
from fairseq_amber.files.tables import plain_table
from fairseq_amber.inference.word_alignment.defaults import METHODS, default_layer
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
from fairseq_amber.metrics.word_alignment import AlignmentScore, Links, link_counts, score_of
from fairseq_amber.number_flags import whole_number
from fairseq_amber.progress import heartbeat

SUMMARY = "precision, recall and alignment error rate (AER) of word alignments against gold"
EXAMPLE = "fairseq-amber aer test.de-en.align test.de-en.gold --json aer.json"
WRITES = ("json",)


class _Scored(NamedTuple):
    """Two files that have been read and compared.

    Attributes:
        predicted: the predicted links of N sentence pairs.
        gold: the gold links of the same pairs.
        counts: (N, 4), the links of each pair, counted by ``link_counts``.
        from_one: which of the files counted from 1.
    """

    predicted: list[Links]
    gold: list[Links]
    counts: np.ndarray
    from_one: CountsFromOne


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
        "--layer",
        type=whole_number,
        metavar="N",
        help="for links of several layers: the layer whose score is the result; by default the one "
        "that align takes by default, or else the last",
    )
    parser.add_argument(
        "--name", default="", metavar="SYSTEM", help="name of the system in reports"
    )
    parser.add_argument("--json", metavar="OUT", help="also write the result to this file")


def run(args: argparse.Namespace) -> None:
    """Prints one row per pair of files, in percent, and writes the JSON."""
    if args.json:
        check_place(args.json)
    by_layer = find_alignments(args.predicted, args.gold)
    made_with = {
        number: {one.name: _settings(one.predicted) for one in files}
        for number, files in by_layer.items()
    }
    settings_of = {number: merged(each) for number, each in made_with.items()}
    _warn_of_other_settings(args.predicted, settings_of.values())
    layer = _chosen_layer(args.layer, settings_of)
    files, settings = by_layer[layer], settings_of[layer]
    from_one = CountsFromOne(args.one_based_predicted, args.one_based)
    gold = {one.name: read_alignments(one.gold, one_based=from_one.gold) for one in files}
    scored = {one.name: _score(one, gold[one.name], from_one) for one in files}
    for one in files:
        _warn_of_misfits(one, scored[one.name], made_with[layer][one.name])
    scores = {name: score_of(pair.counts) for name, pair in scored.items()}
    per_language = {name: _parts(s, scored[name].gold) for name, s in scores.items()}
    if layer is not None:
        for name, of_layers in _layer_scores(by_layer, layer, scores, gold, from_one).items():
            per_language[name]["layers"] = of_layers
    result = Result.from_languages(
        task="word_alignment",
        metric="AER",
        system=args.name or args.predicted.stem,
        per_language=per_language,
        config={**settings, "predicted": str(args.predicted), "gold": str(args.gold)},
    )
    print(_table(result))
    if settings:
        print(one_line("; ".join(f"{key}: {value}" for key, value in settings.items())))
    if layer is not None:
        print("\n" + layer_table({name: p["layers"] for name, p in per_language.items()}, min))
        print(f"note: each score is the AER in %; {CHOSEN_ON_TEST_DATA}")
    if args.json:
        outcomes = {name: {"score": _outcomes(pair.counts)} for name, pair in scored.items()}
        result.write(args.json, outcomes)


def _chosen_layer(
    wanted: int | None, settings: Mapping[int | None, Mapping[str, Any]]
) -> int | None:
    """Returns the layer of the result; None if there are not several.

    Args:
        wanted: the layer that is asked for.
        settings: how the links of each layer were made, as far as it is known.
    """
    layers = [layer for layer in settings if layer is not None]
    if wanted is not None and not layers:
        raise UserError("--layer is for a folder of several layers (fairseq-amber align --layers)")
    if wanted is not None and wanted not in layers:
        raise UserError(f"--layer {wanted} is not among the layers {', '.join(map(str, layers))}")
    if wanted is not None or not layers:
        return wanted
    method, depth = (settings[layers[-1]].get(key) for key in ("method", "layers"))
    usual = default_layer(method, depth) if method in METHODS and isinstance(depth, int) else None
    return usual if usual in layers else layers[-1]


def _layer_scores(
    by_layer: FilesByLayer,
    chosen: int,
    scores: Mapping[str, AlignmentScore],
    gold: Mapping[str, AlignmentFile],
    from_one: CountsFromOne,
) -> dict[str, dict[str, float]]:
    """Returns the AER of each language pair at each layer, by the layer's number.

    Args:
        by_layer: the files of each layer.
        chosen: the layer of which there are scores already.
        scores: these scores.
        gold: the gold of each language pair.
        from_one: which files count from 1, by a flag.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in scores}
    for layer, files in by_layer.items():
        for one in files:
            if layer == chosen:
                aer = scores[one.name].aer
            else:
                aer = score_of(_score(one, gold[one.name], from_one).counts).aer
            found[one.name][str(layer)] = aer
    return found


def _parts(score: AlignmentScore, gold: list[Links]) -> dict[str, Any]:
    """Returns the scores of one language pair for the JSON."""
    texts = ((format_pharaoh(pair.sure), format_pharaoh(pair.possible)) for pair in gold)
    return {
        "score": score.aer,
        "precision": score.precision,
        "recall": score.recall,
        "n": score.n,
        "test_digest": digest_of(*texts),
    }


def _table(result: Result) -> str:
    """Returns a table of the scores of each language pair, and their mean."""
    rows = [
        [name, str(parts["n"])] + [f"{parts[key]:.2f}" for key in ("precision", "recall", "score")]
        for name, parts in result.per_language.items()
    ]
    if len(rows) > 1:
        rows.append(["mean", str(result.n), "", "", f"{result.score:.2f}"])
    return plain_table(["pair", "n", "precision %", "recall %", "AER %"], rows)


def _settings(predicted: Path) -> dict[str, Any]:
    """Returns the settings with which alignments were made, as far as they are known."""
    settings = read_settings(predicted)
    if settings is None and settings_path(predicted).exists():
        warn(
            f"{settings_path(predicted)} belongs to other alignments, so that the settings of "
            f"{predicted.name} are not known"
        )
    return settings or {}


def _warn_of_other_settings(predicted: Path, settings: Iterable[Mapping[str, Any]]) -> None:
    """Warns if the layers differ in more than the layer, as those of two commands may."""
    kinds = [{**each, "layer": None} for each in settings]
    if any(kind != kinds[0] for kind in kinds):
        warn(
            f"{predicted} has layers that were aligned with different settings; align all layers "
            "by one command"
        )


def _score(files: ScoredFiles, gold: AlignmentFile, from_one: CountsFromOne) -> _Scored:
    """Reads the predictions of one language pair, and compares them with their gold.

    Raises:
        UserError: the predictions cannot be read, the two have not the same number of sentence
            pairs, or the gold has no sure link.
    """
    found = read_alignments(files.predicted, one_based=from_one.predicted)
    read_so = CountsFromOne(
        *(flag or not file.complete for flag, file in zip(from_one, (found, gold)))
    )
    found, gold = _filled(found, len(gold.pairs)), _filled(gold, len(found.pairs))
    if len(found.pairs) != len(gold.pairs):
        raise UserError(
            f"{files.predicted} has {len(found.pairs)} sentence pairs but {files.gold} has "
            f"{len(gold.pairs)}; number i of both must be the same pair"
        )
    try:
        with heartbeat(f"scoring {files.predicted}"):
            counts = link_counts([pair.possible for pair in found.pairs], gold.pairs)
            score_of(counts)
    except ValueError as error:
        raise UserError(f"{files.gold}: {error}") from None
    return _Scored(found.pairs, gold.pairs, counts, read_so)


def _warn_of_misfits(files: ScoredFiles, scored: _Scored, settings: Mapping[str, Any]) -> None:
    """Warns of alignments that do not fit their gold or their text."""
    paths = files.predicted, files.gold
    links = [pair.possible for pair in scored.predicted]
    with heartbeat(f"checking {files.predicted}"):
        warn_of_misfit(paths, links, scored.gold, score_of(scored.counts).aer, scored.from_one)
    made_with = {"units": "words", "word_boundaries": "spaces", **settings}
    if made_with["units"] == "words" and made_with["word_boundaries"] == "spaces":
        warn_of_links_outside(paths, scored.predicted, scored.gold)


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
