"""Whether a checkpoint goes with the task that a model is fine-tuned on."""

from __future__ import annotations

import os
from typing import Any

from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from fairseq_amber.errors import UserError
from fairseq_amber.models.checkpoint_weights import heads_of
from fairseq_amber.tasks.xtreme_config import XtremeConfig


def check_start(cfg: XtremeConfig, ours: dict[str, Any]) -> None:
    """Checks what fairseq-train will load before the first update: the trainer gives the task no
    look at it.

    Args:
        cfg: of the task.
        ours: what the task keeps in its own checkpoints.

    Raises:
        UserError: it is missing, no checkpoint, or see :func:`check_origin`.
    """
    path = _starting_checkpoint(cfg)
    if path is None:
        return
    if not PathManager.exists(path):
        raise UserError(f"{path}, the checkpoint to begin from, does not exist")
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(path)
        heads = heads_of(state["model"])
    except Exception:  # pickle, zip and key errors of all kinds, whose texts name no remedy
        raise UserError(f"{path}, the checkpoint to begin from, is none of fairseq") from None
    check_origin(state.get("task_state") or {}, ours, path, cfg.data, ours["kind"] in heads)


def check_origin(
    theirs: dict[str, Any], ours: dict[str, Any], name: str, folder: str, with_head: bool
) -> None:
    """Compares what the task of a checkpoint has kept in it with what this task would.

    Args:
        theirs, ours: of the checkpoint, and of this task.
        name: of the checkpoint.
        folder: of the task.
        with_head: whether the checkpoint has a head of the task's kind.

    Raises:
        UserError: the checkpoint is of another dictionary, or its head of other labels.
    """
    if theirs.get("dictionary", ours["dictionary"]) != ours["dictionary"]:
        raise UserError(
            f"{folder}/dict.txt is not the dictionary that {name} was trained with: prepare the "
            "task with --tokenizer and the data folder of that run"
        )
    if with_head and theirs.get("labels", ours["labels"]) != ours["labels"]:
        raise UserError(
            f"{name} was fine-tuned with the labels {', '.join(theirs['labels'])} but {folder} has "
            f"{', '.join(ours['labels'])}: give the folder of its own run, or begin from a "
            "checkpoint that was not fine-tuned"
        )


def _starting_checkpoint(cfg: XtremeConfig) -> str | None:
    if cfg.restore_file != "checkpoint_last.pt":
        return cfg.restore_file
    last = os.path.join(cfg.save_dir, cfg.restore_file)
    return last if os.path.exists(last) else cfg.finetune_from_model
