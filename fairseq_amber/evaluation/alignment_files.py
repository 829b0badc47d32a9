"""Finds the files of word alignments that ``fairseq-amber aer`` scores, and their gold.

They are two files, or files of two folders that are matched by name. The links of several layers
are a folder of such files or folders, as ``fairseq-amber align --layers`` writes it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from fairseq_amber.errors import UserError, one_line
from fairseq_amber.files.compressed import SUFFIXES, plain_name
from fairseq_amber.inference.word_alignment.output_files import layer_of


class ScoredFiles(NamedTuple):
    """The files of one language pair.

    Attributes:
        name: the language pair, or the whole name of the file.
        predicted: the predicted alignments.
        gold: the gold alignments.
    """

    name: str
    predicted: Path
    gold: Path


# The files of each layer; None is the layer of alignments that are not those of several layers.
FilesByLayer = Dict[Optional[int], List[ScoredFiles]]


def find_alignments(predicted: Path, gold: Path) -> FilesByLayer:
    """Finds the files to score, by layer, in ascending order.

    Args:
        predicted: a file; a folder of files ``<name>.align``; or a folder with ``layer-<n>.align``
            or a folder ``layer-<n>`` for each layer.
        gold: a file, or a folder of files ``<name>.gold``, ``<name>.talp`` or ``<name>.naacl``.

    Raises:
        UserError: there is nothing to score, the gold of a file is missing, the layers have
            different files, or the folder of several layers holds other alignments, too.
    """
    layers = _layers(predicted)
    if not layers:
        return {None: _files(predicted, gold)}
    first = min(layers)
    if layers[first].is_dir() != gold.is_dir():
        kind = "a folder" if layers[first].is_dir() else "a file"
        raise UserError(f"{predicted} has {kind} for each layer, so that GOLD must be {kind}, too")
    found: FilesByLayer = {layer: _files(layers[layer], gold) for layer in sorted(layers)}
    golds = {layer: [one.gold for one in files] for layer, files in found.items()}
    for layer, path in layers.items():
        if golds[layer] != golds[first]:
            raise UserError(
                f"{path} has other files than {layers[first].name}; align all layers again"
            )
    return found


def _layers(predicted: Path) -> dict[int, Path]:
    """Returns the file or the folder of each layer in a folder of several layers.

    Raises:
        UserError: the folder also has other alignments, or a layer twice.
    """
    layers: dict[int, Path] = {}
    others = []
    for path in sorted(predicted.iterdir()) if predicted.is_dir() else ():
        layer = layer_of(path)
        if layer is not None and layer not in layers:
            layers[layer] = path
        elif layer is not None or _is_alignment(path):
            others.append(path)
    kinds = {path.is_dir(): path for path in layers.values()}
    if layers and (others or len(kinds) > 1):
        names = [path.name for path in (*kinds.values(), *others)][-2:]
        raise UserError(
            f"{predicted} has {names[0]} and {names[1]}; the links of several layers must lie in a "
            "folder of their own"
        )
    return layers


def _files(predicted: Path, gold: Path) -> list[ScoredFiles]:
    """Returns the two given files, or every prediction of a folder with its gold in the other."""
    if predicted.is_dir() != gold.is_dir():
        raise UserError(f"{predicted} and {gold} must be two files or two folders")
    if not gold.is_dir():
        return [ScoredFiles(_pair_name(gold), predicted, gold)]
    predictions = sorted(filter(_is_alignment, predicted.iterdir()))
    if not predictions:
        raise UserError(f"{predicted} has no files <name>.align (fairseq-amber align --output)")
    names = [_pair_name(path) for path in predictions]
    if len(set(names)) < len(names):  # the folder holds several splits of a language pair
        names = [_stem(path) for path in predictions]
    return [ScoredFiles(name, path, _gold_of(path, gold)) for name, path in zip(names, predictions)]


def _is_alignment(path: Path) -> bool:
    return plain_name(path.name).endswith(".align")


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
