"""The parameter names of fairseq's RoBERTa and XLM-R checkpoints over the years."""

from __future__ import annotations

import logging
import re
from typing import Mapping

import torch

logger = logging.getLogger(__name__)

# What fairseq 0.12.2 adds to each layer and never trains (fairseq issue 4782).
_UNTRAINED = re.compile(r"\.layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)$")
_PACKED = re.compile(r"(.*\.self_attn\.)in_proj_(weight|bias)$")
_HEAD = re.compile(r"heads\.(\w+)\.out_proj\.bias")


def under_current_names(key: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """A parameter of any fairseq RoBERTa or XLM-R under today's names; [] if it has no place."""
    if key.startswith("decoder."):
        key = "encoder." + key[len("decoder.") :]
    key = key.replace(".emb_layer_norm.", ".layernorm_embedding.")
    if key.endswith(".version") or _UNTRAINED.search(key):
        return []
    if key.startswith("classification_heads."):
        logger.warning("leaving out %s: this model has no classification head", key)
        return []
    packed = _PACKED.match(key)
    if packed:
        stem, kind = packed.groups()
        return [(f"{stem}{p}_proj.{kind}", part) for p, part in zip("qkv", value.chunk(3))]
    return [(key, value)]


def heads_of(weights: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """The heads that a checkpoint of this package has been fine-tuned with, and their outputs."""
    found = ((_HEAD.fullmatch(key), value) for key, value in weights.items())
    return {match[1]: len(value) for match, value in found if match}
