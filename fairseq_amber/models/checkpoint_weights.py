"""The weights of a checkpoint: parameter names over the years, heads, and shapes.

A checkpoint may come from any fairseq RoBERTa or XLM-R, or from this package. A *weight* here is a
tensor under the name of its parameter, without a prefix.
"""

from __future__ import annotations

import logging
import re
from typing import Mapping

import torch

from fairseq_amber.errors import UserError, warn
from fairseq_amber.tokenizers.dictionary import check_rows

logger = logging.getLogger(__name__)

# What fairseq 0.12.2 adds to each layer and never trains (fairseq issue 4782).
_UNTRAINED = re.compile(r"\.layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)$")
_PACKED = re.compile(r"(.*\.self_attn\.)in_proj_(weight|bias)$")
_HEAD = re.compile(r"heads\.(\w+)\.out_proj\.bias")
_TOKENS = "encoder.sentence_encoder.embed_tokens.weight"
_TOKEN_TYPES = "encoder.sentence_encoder.embed_segments.weight"


def under_current_names(key: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """Gives a weight of any fairseq RoBERTa or XLM-R the name that it has in this package.

    Args:
        key: the name of the parameter in the checkpoint.
        value: the weight.

    Returns:
        Pairs of a name and a weight: one, three for a packed projection of queries, keys and
        values, or none for what this package's encoder does not have.
    """
    if key.startswith("decoder."):
        key = "encoder." + key[len("decoder.") :]
    key = key.replace(".emb_layer_norm.", ".layernorm_embedding.")
    if key.endswith(".version") or _UNTRAINED.search(key):
        return []
    if key.startswith("classification_heads."):
        warn(f"leaving out {key}: this model has no classification head")
        return []
    packed = _PACKED.match(key)
    if packed:
        stem, kind = packed.groups()
        return [(f"{stem}{p}_proj.{kind}", part) for p, part in zip("qkv", value.chunk(3))]
    return [(key, value)]


def heads_of(weights: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Finds the heads that a checkpoint of this package was fine-tuned with.

    Returns:
        The number of outputs of each head, by its name.
    """
    found = ((_HEAD.fullmatch(key), value) for key, value in weights.items())
    return {match[1]: len(value) for match, value in found if match}


def match_heads(weights: dict[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> None:
    """Makes the heads of a checkpoint those of the model, in place.

    Heads that the model lacks are removed. A head that the checkpoint lacks gets the model's own
    weights: this is how fine-tuning begins.

    Args:
        weights: the weights of the checkpoint.
        own: the weights of the model.

    Raises:
        UserError: a head has another number of outputs than the model's.
    """
    given, wanted = heads_of(weights), heads_of(own)
    for name in given.keys() - wanted.keys():
        logger.info("leaving out the checkpoint's head for %s", name)
        for key in [key for key in weights if key.startswith(f"heads.{name}.")]:
            del weights[key]
    for name, outputs in wanted.items():
        if name not in given:
            logger.info("the checkpoint has no head for %s: its weights are random", name)
            stem = f"heads.{name}."
            weights.update((key, value) for key, value in own.items() if key.startswith(stem))
        elif given[name] != outputs:
            raise UserError(
                f"the checkpoint was fine-tuned to tell {given[name]} labels apart but this "
                f"task folder has {outputs}: give the folder of its own run, or start from a "
                "checkpoint that was not fine-tuned"
            )


def check_shapes(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> None:
    """Checks that a checkpoint has the parameters of the model, each in the model's shape.

    Args:
        weights: the weights of the checkpoint.
        own: the weights of the model.

    Raises:
        UserError: the checkpoint has another architecture or another dictionary.
    """
    types = [len(parameters.get(_TOKEN_TYPES, ())) for parameters in (weights, own)]
    if weights and types[0] != types[1]:
        raise UserError(
            "the checkpoint is of another architecture: it has {} token types (mBERT has 2, "
            "XLM-R none) but this model has {}; give the --arch it was trained with, or "
            "--token-types {}".format(*types, types[0])
        )
    if _TOKENS in weights and weights[_TOKENS].shape != own[_TOKENS].shape:
        rows, dim = weights[_TOKENS].shape
        own_rows, own_dim = own[_TOKENS].shape
        if dim == own_dim:
            check_rows(
                rows,
                own_rows,
                path="the data folder's dict.txt",
                checkpoint="the checkpoint",
                remedy="train on the data folder of its own run, or prepare this text with "
                "that model's sentencepiece.bpe.model and dict.txt",
            )
    wrong = [key for key in own if key in weights and weights[key].shape != own[key].shape]
    for what, keys in (
        ("of another shape", wrong),
        ("missing", [key for key in own if key not in weights]),
        ("unknown to this model", [key for key in weights if key not in own]),
    ):
        if keys:
            first, sizes = keys[0], ""
            if keys is wrong:
                sizes = f": {tuple(weights[first].shape)} there, {tuple(own[first].shape)} here"
            raise UserError(
                f"the checkpoint is of another architecture: {len(keys)} parameters are {what}"
                f" (first: {first}{sizes}); give the --arch it was trained with, and the "
                "flags of its shape"
            )
