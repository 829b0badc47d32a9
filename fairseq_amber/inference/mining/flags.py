"""Command-line flags of ``fairseq-amber mine``: their declaration, checks and meaning."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairseq_amber.errors import UserError
from fairseq_amber.inference.flags import (
    BATCH_TOKENS,
    add_encoder_arguments,
    add_vector_arguments,
)
from fairseq_amber.number_flags import number, positive_whole_number

if TYPE_CHECKING:
    from fairseq_amber.inference.mining.pair_miner import Miner

_PROBES = 32


def add_mining_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares all flags of the command."""
    add_encoder_arguments(parser, optional=True)
    folder = parser.add_argument_group("a folder in BUCC's layout")
    folder.add_argument(
        "--folder",
        metavar="DIR",
        type=Path,
        help="folder with the texts <src>-<tgt>.<split>.<lang>, lines id<TAB>sentence, and the "
        "gold pairs <src>-<tgt>.<split>.gold, lines source id<TAB>target id. The threshold with "
        "the best F1 on --dev-split is applied to --split",
    )
    folder.add_argument(
        "--pairs",
        metavar="PAIR,PAIR",
        help="language pairs, such as zh-en; by default all pairs in the folder",
    )
    folder.add_argument("--dev-split", default="dev", help="split to tune the threshold on")
    folder.add_argument("--split", default="test", help="split to mine and score")
    files = parser.add_argument_group("or two files")
    files.add_argument(
        "--source", metavar="FILE", type=Path, help="source text, UTF-8; needs --target"
    )
    files.add_argument("--target", metavar="FILE", type=Path, help="target text, UTF-8")
    files.add_argument(
        "--format",
        choices=("plain", "bucc"),
        default="plain",
        help="plain: one sentence per line, whose id is the line's number, counted from 1; bucc: "
        "lines id<TAB>sentence",
    )
    files.add_argument(
        "--vectors",
        nargs=2,
        metavar=("SOURCE.npy", "TARGET.npy"),
        type=Path,
        help="read sentence vectors in place of a CHECKPOINT: arrays (N, D) with row i for line i, "
        "as fairseq-amber embed writes them; they are read piece by piece. Without --source and "
        "--target, each sentence is named by the number of its row, counted from 1",
    )
    files.add_argument(
        "--gold", metavar="FILE", type=Path, help="gold pairs to score against; needs --threshold"
    )
    parser.add_argument(
        "--threshold",
        type=number,
        metavar="T",
        help="keep the pairs with a score of T or more; by default, the threshold that is best on "
        "--dev-split; with two files, all pairs are kept",
    )
    add_vector_arguments(parser)
    parser.add_argument(
        "--margin",
        choices=("ratio", "distance", "absolute"),
        default="ratio",
        help="score of a pair. ratio: cosine / mean of the neighbours' cosines; distance: cosine - "
        "mean of the neighbours' cosines; absolute: cosine. The mean is over the --neighbours "
        "nearest neighbours of both sentences",
    )
    parser.add_argument(
        "--neighbours",
        type=positive_whole_number,
        default=4,
        metavar="K",
        help="number of nearest neighbours of a sentence in the other text; the default is the "
        "paper's",
    )
    parser.add_argument(
        "--retrieval",
        choices=("max", "intersect", "forward", "backward"),
        default="max",
        help="which pairs to keep. forward: each source with its best target; backward: each "
        "target with its best source; intersect: pairs in both; max: pairs in either, the "
        "best first and each sentence in one pair only",
    )
    _add_search_arguments(parser)
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write the pairs to this file, as lines score<TAB>source<TAB>target by falling score; "
        "with --folder, a folder that gets <src>-<tgt>.<split>.mined for each language pair",
    )
    parser.add_argument(
        "--ids",
        action="store_true",
        help="write lines source id<TAB>target id, the format of the gold",
    )
    parser.add_argument("--name", metavar="SYSTEM", help="name of the system in reports")
    parser.add_argument("--json", metavar="OUT", help="also write the scores to this file")


def _add_search_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("search")
    group.add_argument(
        "--search",
        choices=("exact", "approximate"),
        default="exact",
        help="exact: compare all sentences with each other, on the GPU if there is one; "
        "approximate: compare a sentence with the likeliest ones only, with faiss on the CPU",
    )
    group.add_argument(
        "--nlist",
        type=positive_whole_number,
        metavar="N",
        help="approximate search: number of lists that each text is divided into (default: "
        "4 sqrt(sentences), but at least 39 sentences in a list)",
    )
    group.add_argument(
        "--nprobe",
        type=positive_whole_number,
        metavar="N",
        help="approximate search: number of lists that a sentence is compared with; more lists "
        f"find more neighbours but take more time (default: {_PROBES})",
    )


# What has no effect with the other kind of input, and its default.
_OF_FOLDERS = {"pairs": None, "dev_split": "dev", "split": "test"}
_OF_FILES = {"source": None, "target": None, "vectors": None, "gold": None, "format": "plain"}
_OF_CHECKPOINTS = {
    "data": None,
    "dtype": "float32",
    "reinitialize": None,
    "batch_tokens": BATCH_TOKENS,
    "layer": -1,
    "pooling": "mean",
    "prefix": "",
}


def check_flags(args: argparse.Namespace) -> None:
    """Checks that the flags fit each other.

    Raises:
        UserError: two flags exclude each other, a flag lacks another one, a flag that is not at its
            default has no effect, or faiss is missing.
    """
    if (args.checkpoint is None) == (args.vectors is None):
        raise UserError(
            "give either a CHECKPOINT to embed the text with, or --vectors SOURCE.npy TARGET.npy"
        )
    if args.vectors is not None:
        _refuse(args, _OF_CHECKPOINTS, "goes with a CHECKPOINT, and --vectors are made already")
    if args.folder is not None:
        _refuse(args, _OF_FILES, "goes with two files, and --folder has its own")
        if args.threshold is not None:
            _refuse(args, {"dev_split": "dev"}, "tunes the threshold, and --threshold is given")
    else:
        _refuse(args, _OF_FOLDERS, "goes with --folder, and two files are given")
        _check_files(args)
    if args.search == "approximate":
        from fairseq_amber.inference.mining.neighbour_search import import_faiss

        import_faiss()
    elif args.nlist is not None or args.nprobe is not None:
        raise UserError("--nlist and --nprobe are only for --search approximate")


def _check_files(args: argparse.Namespace) -> None:
    """Raises UserError if the flags of two files do not fit each other."""
    if (args.source is None) != (args.target is None) or (
        args.source is None and args.vectors is None
    ):
        raise UserError("give either --source FILE and --target FILE, or --folder DIR")
    if args.gold is not None and args.threshold is None:
        raise UserError(
            "--gold scores at one threshold, tuned on other data: give --threshold, or use "
            "--folder, which tunes on its dev files"
        )
    if args.json is not None and args.gold is None:
        raise UserError("--json holds scores: give --gold and --threshold, or use --folder")


def _refuse(args: argparse.Namespace, defaults: dict[str, Any], why: str) -> None:
    """Raises UserError if one of some flags is not at its default."""
    for name, default in defaults.items():
        if getattr(args, name) != default:
            raise UserError(f"--{name.replace('_', '-')} {why}; leave it out")


def miner_of(args: argparse.Namespace) -> Miner:
    """Returns the miner that the flags describe."""
    from fairseq_amber.inference.mining.pair_miner import Miner

    probes = (args.nprobe or _PROBES) if args.search == "approximate" else None
    return Miner(args.margin, args.retrieval, args.neighbours, args.nlist, probes)


def mining_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the flags that a score depends on, for the JSON of a result."""
    settings = {
        "margin": args.margin,
        "neighbours": args.neighbours,
        "retrieval": args.retrieval,
        "search": args.search,
        "threshold_source": f"tuned on {args.dev_split}" if args.threshold is None else "given",
    }
    if args.folder is not None and args.threshold is None:
        settings["dev_split"] = args.dev_split
    if args.search == "approximate":
        settings.update(nlist=args.nlist or "4 sqrt(N)", nprobe=args.nprobe or _PROBES)
    return settings
