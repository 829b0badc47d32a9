"""Reads checkpoints of fairseq's RoBERTa and XLM-R and of this package, and writes the latter."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any, Mapping, NamedTuple

from torch import Tensor

from fairseq_amber.convert.output_folder import OutputFolder
from fairseq_amber.convert.pretrained import (
    EMBEDDING,
    HEAD,
    PAD,
    POSITIONS,
    TOKEN_TYPES,
    Head,
    Pretrained,
    Shape,
    new_head,
)
from fairseq_amber.convert.vocabulary import (
    Vocabulary,
    check_expected,
    load_vocabulary,
    read_symbols,
)
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes
from fairseq_amber.files.torch_file import map_torch_file, read_checkpoint, settings
from fairseq_amber.models.checkpoint_weights import under_current_names
from fairseq_amber.models.heads import HEADS
from fairseq_amber.tokenizers.dictionary import check_trained_with, fingerprint
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME

CHECKPOINT_NAME = "model.pt"
NEW_HEAD = "it has no language model head: a new one has random weights"
# A parameter of a head: of this package, or of fairseq's task sentence_prediction.
_HEAD = re.compile(r"(heads\.\w+|classification_heads\.[^.]+)\.(.+)")
_PARAMETERS = ("weight", "bias")
_LAYERS = "encoder.sentence_encoder.layers."
# Settings that the model ``amber`` does not have, with the only value that it supports, which is
# also the default of fairseq's roberta.
_FIXED = {
    "activation_fn": "gelu",
    "encoder_normalize_before": False,
    "layernorm_embedding": True,
    "untie_weights_roberta": False,
    "encoder_learned_pos": True,
    "no_token_positional_embeddings": False,
}


class FairseqModel(NamedTuple):
    """A model that was read from a checkpoint.

    Attributes:
        model: the model.
        is_amber: whether this package wrote the checkpoint.
        head: the head of the task that it was fine-tuned for; None if there is none.
        notes: what the user should know: what is left out or new.
        run: the settings of the run that saved it, by fairseq's sections; empty in old checkpoints.
    """

    model: Pretrained
    is_amber: bool
    head: Head | None
    notes: list[str]
    run: Mapping[str, Any]


def read_fairseq(
    path: Path,
    data: Path | None = None,
    expected: Vocabulary | None = None,
    state: dict[str, Any] | None = None,
) -> FairseqModel:
    """Reads a checkpoint of fairseq's roberta or of this package, of any version.

    Args:
        path: the checkpoint.
        data: the folder of the checkpoint's dict.txt and tokenizer; by default the folder of the
            checkpoint, or else the folder that it was trained on.
        expected: the vocabulary that the model has to have. Then the checkpoint needs no folder.
        state: the content of the checkpoint, where it has been read.

    Raises:
        UserError: the checkpoint cannot be read or holds another model, or dict.txt is missing or
            is not the dictionary that the checkpoint was trained with.
    """
    state = state or read_checkpoint(path)
    architecture, task = settings(state)
    weights: dict[str, Tensor] = {}
    heads: dict[str, dict[str, Tensor]] = {}
    for key, value in state["model"].items():
        part = _HEAD.fullmatch(key)
        if part:
            heads.setdefault(part[1], {})[part[2]] = value
        else:
            weights.update(under_current_names(key, value))
    if EMBEDDING not in weights or POSITIONS not in weights:
        raise UserError(f"{path} holds another model than RoBERTa's or this package's encoder")
    for name, wanted in _FIXED.items():
        if getattr(architecture, name, wanted) not in (wanted, None):
            raise UserError(
                f"{path} has {name} = {getattr(architecture, name)}, where this model has {wanted}"
            )
    shape = _shape(architecture, weights, path)
    if expected is None:
        vocabulary = _trained_with(path, state, data or find_data(path, getattr(task, "data", "")))
    else:
        vocabulary = expected
        check_expected(expected, _recorded(path, state), len(weights[EMBEDDING]), path)
    name = getattr(architecture, "_name", None) or getattr(architecture, "arch", None) or ""
    head, notes = _head(heads, state.get("task_state") or {}, shape.encoder_embed_dim)
    if not any(name.startswith(HEAD) for name in weights):
        weights.update(new_head(shape.encoder_embed_dim, weights[EMBEDDING].float()))
        notes.append(NEW_HEAD)
    model = Pretrained(shape, weights, vocabulary, str(path)).checked()
    return FairseqModel(model, name.split("_")[0] == "amber", head, notes, state.get("cfg") or {})


def read_trained_vocabulary(path: Path) -> Vocabulary:
    """Reads the vocabulary that a checkpoint was trained with, and not its weights.

    Raises:
        UserError: as ``read_fairseq``.
    """
    state = map_torch_file(path)
    try:
        trained_on = getattr(settings(state)[1], "data", "")
    except (AttributeError, KeyError, TypeError):
        raise UserError(f"{path} is not a checkpoint of fairseq-train") from None
    return _trained_with(path, state, find_data(path, trained_on))


def _trained_with(path: Path, state: dict[str, Any], folder: Path) -> Vocabulary:
    vocabulary = load_vocabulary(folder)
    check_trained_with(
        vocabulary,
        (state.get("task_state") or {}).get("dictionary"),
        path=folder / DICTIONARY_NAME,
        checkpoint=path,
        remedy="give the folder of its own run with --data",
    )
    return vocabulary


def _recorded(path: Path, state: dict[str, Any]) -> str | None:
    """Returns the fingerprint of a checkpoint's dictionary, or else of the one beside it."""
    recorded = (state.get("task_state") or {}).get("dictionary")
    beside = path.parent / DICTIONARY_NAME
    if recorded is not None or not beside.is_file():
        return recorded
    symbols = read_symbols(read_bytes(beside), str(beside))
    return fingerprint(Vocabulary(symbols, {}, str(beside)))


def _head(
    heads: dict[str, dict[str, Tensor]], task_state: dict[str, Any], dim: int
) -> tuple[Head | None, list[str]]:
    """Chooses the head of the checkpoint's task, and says which others are left out."""
    kept: Head | None = None
    left_out = []
    for name, weights in heads.items():
        stock = name.startswith("classification_heads.")
        kind = "classification" if stock else name.partition(".")[2]
        layers = ["dense", "out_proj"] if kind == "classification" else ["out_proj"]
        count = len(weights.get("out_proj.bias", ()))
        shapes = {"dense.weight": (dim, dim), "dense.bias": (dim,)}
        shapes.update({"out_proj.weight": (count, dim), "out_proj.bias": (count,)})
        wanted = {f"{layer}.{p}": shapes[f"{layer}.{p}"] for layer in layers for p in _PARAMETERS}
        fits = {part: tuple(value.shape) for part, value in weights.items()} == wanted
        if kept is None and fits and kind in HEADS and task_state.get("kind", kind) == kind:
            kept = Head(kind, weights, [] if stock else list(task_state.get("labels") or []))
        else:
            left_out.append(name)
    return kept, [f"left out: {', '.join(sorted(left_out))}"] if left_out else []


def find_data(checkpoint: Path, trained_on: str) -> Path:
    """Finds the folder of a checkpoint's dictionary.

    Args:
        checkpoint: the checkpoint.
        trained_on: the data folder that it was trained on, or several joined by colons.

    Raises:
        UserError: the dictionary is neither beside the checkpoint nor in the folder that the
            checkpoint was trained on.
    """
    first = Path(str(trained_on or "").split(":")[0] or ".")
    for folder in (checkpoint.parent, first):
        if (folder / DICTIONARY_NAME).is_file():
            return folder
    raise UserError(
        f"there is no {DICTIONARY_NAME} beside {checkpoint}, nor in {first}, where it was trained; "
        "give its folder with --data"
    )


def _shape(architecture: Namespace, weights: dict[str, Tensor], path: Path) -> Shape:
    """Reads the shape from the weights, and from the settings where the weights do not show it."""
    dim = weights[EMBEDDING].size(1)
    layers = {name.split(".")[3] for name in weights if name.startswith(_LAYERS)}
    inner = weights.get(f"{_LAYERS}0.fc1.bias")
    heads = getattr(architecture, "encoder_attention_heads", None)
    if heads is None:
        raise UserError(f"{path} does not say how many attention heads its model has")
    try:
        return Shape(
            encoder_layers=len(layers),
            encoder_embed_dim=dim,
            encoder_ffn_embed_dim=4 * dim if inner is None else len(inner),
            encoder_attention_heads=int(heads),
            max_positions=len(weights[POSITIONS]) - PAD - 1,
            token_types=len(weights[TOKEN_TYPES]) if TOKEN_TYPES in weights else 0,
            **{
                name: float(getattr(architecture, name, default))
                for name, default in (
                    ("layer_norm_eps", 1e-5),
                    ("dropout", 0.1),
                    ("attention_dropout", 0.1),
                    ("activation_dropout", 0.0),
                )
            },
        ).checked(str(path))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path} has a setting of the wrong type ({error}); fetch it again"
        ) from None


def checkpoint_state(model: Pretrained, data: Path) -> dict[str, Any]:
    """Returns a checkpoint that ``fairseq-train --finetune-from-model`` and our commands read."""
    return {
        "args": None,
        "cfg": {
            "model": {"_name": "amber", **asdict(model.shape)},
            "task": {"_name": "cross_lingual_alignment", "data": str(data.resolve())},
        },
        "model": model.weights,
        "criterion": None,
        "optimizer_history": [
            {
                "criterion_name": "",
                "optimizer_name": "",
                "lr_scheduler_state": {},
                "num_updates": 0,
            }
        ],
        "task_state": {"dictionary": fingerprint(model.vocabulary)},
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
    }


def write_amber(model: Pretrained, folder: OutputFolder) -> None:
    """Writes model.pt, dict.txt and the tokenizer's files.

    Raises:
        UserError: the dictionary cannot be expressed, or the folder cannot be written to.
    """
    folder.put(DICTIONARY_NAME, model.vocabulary.dictionary())
    for name, data in model.vocabulary.files.items():
        folder.put(name, data)
    folder.put_checkpoint(CHECKPOINT_NAME, checkpoint_state(model, folder.path))
