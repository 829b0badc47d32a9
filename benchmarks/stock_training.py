"""The ``roberta`` and ``masked_lm`` of stock fairseq, which train on the rows of our batches."""

from __future__ import annotations

import argparse
from typing import Any

import fairseq
import torch
import torch.nn.functional as F
from fairseq.criterions.masked_lm import MaskedLmLoss
from fairseq.data import Dictionary
from fairseq.models.roberta import RobertaModel


def stock_model(shape: dict[str, Any], dictionary: Dictionary) -> RobertaModel:
    """The model ``roberta`` in a shape in fairseq's names, for rows of up to 512 tokens."""
    settings = argparse.Namespace(**{**shape, "max_positions": 512, "tokens_per_sample": 512})
    task = argparse.Namespace(
        source_dictionary=dictionary, cfg=argparse.Namespace(tokens_per_sample=512)
    )
    fairseq.models.roberta.model.base_architecture(settings)
    return RobertaModel.build_model(settings, task)


def stock_criterion(dictionary: Dictionary) -> MaskedLmLoss:
    """The criterion ``masked_lm``."""
    criterion = MaskedLmLoss(argparse.Namespace(tpu=False), argparse.Namespace())
    criterion.padding_idx = dictionary.pad()
    return criterion


def stock_sample(sample: dict[str, Any], dictionary: Dictionary) -> dict[str, Any]:
    """The rows and masked tokens of one of our batches, as ``masked_lm`` takes them: the rows of
    all blocks in one rectangle."""
    pad = dictionary.pad()
    width = max(block["net_input"]["src_tokens"].size(1) for block in sample["blocks"])
    rows, targets = [], []
    for block in sample["blocks"]:
        tokens = block["net_input"]["src_tokens"]
        masked, target = stock_targets(block)
        margin = (0, width - tokens.size(1))
        rows.append(F.pad(tokens, margin, value=pad))
        targets.append(F.pad(target.masked_fill(~masked, pad), margin, value=pad))
    return {
        "net_input": {"src_tokens": torch.cat(rows)},
        "target": torch.cat(targets),
        "ntokens": sample["ntokens"],
        "nsentences": sum(map(len, rows)),
    }


def stock_targets(block: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The masked tokens of a block of ours, (B, T) bool, and their targets, (B, T)."""
    positions, slots = block["net_input"]["predicted"]
    rows = torch.arange(len(positions), device=positions.device)
    rows = rows.unsqueeze(1).expand_as(positions)
    target = torch.full_like(block["net_input"]["src_tokens"], -1)
    target[rows.flatten()[slots], positions.flatten()[slots]] = block["target"]
    return target != -1, target
