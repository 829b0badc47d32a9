"""``fairseq-amber mine``: finds sentence pairs that translate each other in two texts."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ContextManager, Iterator, TextIO

from fairseq_amber.errors import UserError, one_line, warn
from fairseq_amber.files.results import Result, check_place
from fairseq_amber.files.tables import plain_table
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.inference.flags import (
    checkpoint_note,
    load_encoder,
    tested_on,
    vector_note,
    vector_settings,
)
from fairseq_amber.inference.mining.flags import (
    add_mining_arguments,
    check_flags,
    miner_of,
    mining_settings,
)

if TYPE_CHECKING:
    import numpy as np

    from fairseq_amber.inference.encoder import Encoder
    from fairseq_amber.inference.mining.pair_miner import Mined
    from fairseq_amber.inference.mining.texts import MiningSet
    from fairseq_amber.inference.mining.unit_vectors import UnitVectors
    from fairseq_amber.metrics.outcomes import Outcomes

SUMMARY = "find translations among the sentences of two texts that are not aligned, as in BUCC"
EXAMPLE = "fairseq-amber mine checkpoint_best.pt --folder bucc2018 --pairs zh-en --json out.json"
WRITES = ("output", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_mining_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Mines pairs; writes them, and scores them where there are gold pairs."""
    check_flags(args)
    if args.json:
        check_place(args.json)
    if args.folder is not None:
        _mine_folder(args)
    else:
        _mine_files(args)


def _mine_folder(args: argparse.Namespace) -> None:
    from fairseq_amber.inference.mining.bucc_folder import choose_files

    files = choose_files(
        args.folder,
        args.pairs,
        dev_split=args.dev_split,
        split=args.split,
        tune=args.threshold is None,
    )
    scored = [args.dev_split] if files.dev else []
    scored += [args.split] if any(pair.gold for pair in files.test.values()) else []
    if not scored and (args.output is None or args.json is not None):
        raise UserError(
            f"{args.folder} has no <src>-<tgt>.{args.split}.gold, so that there is nothing to "
            "score; give --output, without --json"
        )
    texts = {
        name: [side[name].read() for side in files if name in side]
        for name in files.test or files.dev
    }
    encoder = load_encoder(args)
    config = _config(encoder, args)
    per_language, outcomes = {}, {}
    for name, splits in texts.items():
        output = f"{name}.{args.split if files.test else args.dev_split}.mined"
        with _output(args.output and args.output / output) as file:
            # The threshold is found before the test texts are looked at.
            mined = _embed_and_mine(encoder, splits[0], args)
            threshold = mined.best_threshold() if files.dev else args.threshold
            parts = {}
            if splits[0].gold is not None:
                parts = mined.scores(threshold)
                outcomes[name] = {"score": mined.outcomes(threshold)}
            if len(splits) == 2:
                mined = _embed_and_mine(encoder, splits[1], args)
                if args.split in scored:
                    tuned = {f"dev_{key}": value for key, value in parts.items()}
                    parts = {**mined.scores(threshold), **tuned}
                    outcomes[name] = {"score": mined.outcomes(threshold)}
            if file is not None:
                file.writelines(_lines(mined, threshold, args.ids))
        per_language[name] = {**parts, "threshold": threshold}
    if scored:
        metric = "F1" if args.split in scored else f"F1 on {args.dev_split}"
        _report(metric, per_language, outcomes, config, args)
    if scored == [args.dev_split]:
        warn(
            f"without gold for {args.split}, these are scores on {args.dev_split}, which the "
            "threshold was tuned on: an upper bound"
        )


def _mine_files(args: argparse.Namespace) -> None:
    from fairseq_amber.inference.mining.texts import MiningSet, numbered, read_gold, read_text
    from fairseq_amber.inference.mining.unit_vectors import open_vectors

    arrays = [open_vectors(path) for path in args.vectors or ()]
    if args.source is None:
        source, target = (numbered(*side) for side in zip(args.vectors, map(len, arrays)))
    else:
        source, target = (read_text(path, args.format) for path in (args.source, args.target))
    gold = None if args.gold is None else read_gold(args.gold, source, target)
    texts = MiningSet(source, target, gold)
    if arrays:
        encoder, mine = None, partial(miner_of(args).mine, texts, *_vectors(arrays, texts, args))
    else:
        encoder = load_encoder(args)
        mine = partial(_embed_and_mine, encoder, texts, args)
    config = _config(encoder, args)

    threshold = float("-inf") if args.threshold is None else args.threshold
    with _output(args.output, sys.stdout if args.gold is None else None) as file:
        mined = mine()
        if file is not None:
            file.writelines(_lines(mined, threshold, args.ids))
    if args.gold is not None:
        parts = {**mined.scores(threshold), "threshold": threshold}
        name = one_line(f"{source.path.name}-{target.path.name}")
        _report("F1", {name: parts}, {name: {"score": mined.outcomes(threshold)}}, config, args)


def _embed_and_mine(encoder: Encoder, texts: MiningSet, args: argparse.Namespace) -> Mined:
    from fairseq_amber.inference.mining.unit_vectors import UnitVectors

    vectors = [
        encoder.embed(
            text.sentences,
            layer=args.layer,
            pooling=args.pooling,
            prefix=args.prefix,
            batch_tokens=args.batch_tokens,
            name=str(text.path),
        )
        for text in (texts.source, texts.target)
    ]
    names = (f"{args.checkpoint} on {text.path}" for text in (texts.source, texts.target))
    sides = (UnitVectors(side, name=name) for side, name in zip(vectors, names))
    return miner_of(args).mine(texts, *sides)


def _vectors(
    arrays: list[np.ndarray], texts: MiningSet, args: argparse.Namespace
) -> list[UnitVectors]:
    """Returns the vectors of the distinct sentences of both texts.

    Args:
        arrays: for each text, (lines, D) the vectors of all lines.
        texts: the two texts.
        args: the parsed flags.
    """
    from fairseq_amber.inference.checkpoint import find_device
    from fairseq_amber.inference.mining.unit_vectors import UnitVectors

    device = find_device(args.device)
    sides = []
    for array, path, text in zip(arrays, args.vectors, (texts.source, texts.target)):
        if len(array) != text.lines:
            raise UserError(
                f"{path} has {len(array)} vectors but {text.path} has {text.lines} lines; "
                "embed that text again"
            )
        sides.append(UnitVectors(array, text.rows, device=device, name=str(path)))
    return sides


def _config(encoder: Encoder | None, args: argparse.Namespace) -> dict[str, Any]:
    if encoder is None:
        vectors = {"vectors": " ".join(map(str, args.vectors))}
        return {**vectors, **mining_settings(args), **tested_on(args)}
    return {
        **encoder.config,
        "layer": encoder.resolve_layer(args.layer),
        "layers": encoder.num_layers,
        **vector_settings(args),
        **mining_settings(args),
        **tested_on(args),
    }


def _output(path: Path | None, otherwise: TextIO | None = None) -> ContextManager[TextIO | None]:
    """Opens the output before the work begins, so that a bad path is an error at once."""
    return nullcontext(otherwise) if path is None else atomic_writer(path)


def _lines(mined: Mined, threshold: float, ids: bool) -> Iterator[str]:
    pairs, texts = mined.pairs.above(threshold), mined.texts
    rows = zip(pairs.score.tolist(), pairs.source.tolist(), pairs.target.tolist())
    if ids:
        sources, targets = texts.source.first_ids(), texts.target.first_ids()
        yield from (f"{sources[i]}\t{targets[j]}\n" for _, i, j in rows)
    else:
        for score, i, j in rows:
            source, target = texts.source.sentences[i], texts.target.sentences[j]
            yield (
                "\t".join([f"{score:.6f}", *(s.replace("\t", " ") for s in (source, target))])
                + "\n"
            )


def _report(
    metric: str,
    per_language: dict[str, dict[str, Any]],
    outcomes: Outcomes,
    config: dict[str, Any],
    args: argparse.Namespace,
) -> None:
    system = args.name or str(args.checkpoint or config["vectors"])
    result = Result.from_languages("mining", metric, system, per_language, config)
    print(_table(result, args))
    vectors = (
        f"layer {config['layer']} of {config['layers']}, {vector_note(args)}; "
        f"{checkpoint_note(args)}"
        if args.checkpoint
        else config["vectors"]
    )
    print(
        f"precision, recall and F1 in %; threshold {config['threshold_source']}; {args.margin} "
        f"margin, {args.neighbours} neighbours, {args.retrieval}; {args.search} search; {vectors}"
    )
    recalls = [p["search_recall"] for p in per_language.values() if "search_recall" in p]
    if recalls:
        print(f"the search found {min(recalls):.1f} % of the nearest neighbours, on a sample")
    if args.json:
        result.write(args.json, outcomes)


def _table(result: Result, args: argparse.Namespace) -> str:
    """Returns a table of all language pairs and their mean; scores on dev have own columns."""
    parts = list(result.per_language.values())
    tested = "" if result.metric == "F1" else f"{args.dev_split} "
    columns = {"precision": f"{tested}P", "recall": f"{tested}R", "score": f"{tested}F1"}
    if "dev_score" in parts[0]:
        tuned = {f"dev_{key}": f"{args.dev_split} {name}" for key, name in columns.items()}
        columns = {**tuned, **columns}
    rows = [
        [name, str(p["n"]), f"{p['threshold']:.4f}"] + [f"{p[key]:.2f}" for key in columns]
        for name, p in result.per_language.items()
    ]
    if len(rows) > 1:
        means = (sum(p[key] for p in parts) / len(parts) for key in columns)
        rows.append(["mean", str(result.n), ""] + [f"{mean:.2f}" for mean in means])
    return plain_table(["pair", "gold", "threshold", *columns.values()], rows)
