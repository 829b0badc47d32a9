"""Checks that the checkpoint from which fine-tuning begins fits the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from fairseq import checkpoint_utils
from fairseq.data import Dictionary

from fairseq_amber.data.finetuning.settings import XtremeConfig
from fairseq_amber.errors import UserError, warn
from fairseq_amber.models.checkpoint_weights import heads_of
from fairseq_amber.tasks.checkpoint_start import LAST, find_start
from fairseq_amber.tasks.pretrained_start import PretrainedStart
from fairseq_amber.tokenizers.dictionary import check_trained_with


def check_start(
    cfg: XtremeConfig, dictionary: Dictionary, state: dict[str, Any], head: str, max_length: int
) -> None:
    """Checks the checkpoint that fairseq-train will load before the first update, and warns if rows
    have positions that its training never reached.

    The trainer loads it without asking the task, so the task looks at it first.

    Args:
        cfg: the flags of the task.
        dictionary: the dictionary of the task.
        state: the state that the task keeps in its own checkpoints.
        head: the name of the head that the task trains.
        max_length: the longest row of the task in subwords, special tokens included.

    Raises:
        UserError: ``find_start`` or ``check_origin`` raises it.
    """
    path = find_start(cfg).path
    if path is None:
        return
    try:
        loaded = checkpoint_utils.load_checkpoint_to_cpu(path)
    except Exception:  # of all kinds, where settings or history are not as fairseq writes them
        raise UserError(
            f"{path}, the checkpoint to begin from, is not a checkpoint of fairseq"
        ) from None
    heads = heads_of(loaded["model"])
    task_state = loaded.get("task_state") or {}
    check_origin(task_state, dictionary, state, path, cfg.data, with_head=head in heads)
    warn_of_untrained_positions(loaded, path, max_length)


def check_pretrained(
    start: PretrainedStart, folder: str, labels: Sequence[str], head: str, max_length: int
) -> None:
    """Checks the model of ``--from-pretrained``, where the run begins with it, as ``check_start``
    checks a checkpoint. Its vocabulary has been checked.

    Args:
        start: the model.
        folder: the folder of the task.
        labels: the labels of the task.
        head: the name of the head that the task trains.
        max_length: the longest row of the task in subwords, special tokens included.

    Raises:
        UserError: the model has a head for other labels.
    """
    source = start.source
    if source is None:
        return
    given = source.head
    if given is not None and given.kind == head and given.labels:
        _check_labels(given.labels, labels, start.path, folder)
    warn_of_untrained_positions({"cfg": source.run}, start.path, max_length)


def warn_of_untrained_positions(loaded: dict[str, Any], path: str | Path, max_length: int) -> None:
    """Warns if rows are longer than those that a checkpoint was trained on.

    Args:
        loaded: the checkpoint.
        path: its path, for the warning.
        max_length: the longest row in subwords, special tokens included.
    """
    trained = longest_trained_row(loaded)
    if trained is not None and trained < max_length:
        warn(
            f"{path} was trained on rows of at most {trained} tokens; rows of {max_length} here "
            f"have positions that never trained: pre-train with --tokens-per-sample {max_length} "
            f"--sentence-rows block, or give --max-length {trained}"
        )


def longest_trained_row(loaded: dict[str, Any]) -> int | None:
    """Returns the longest row that the training of a checkpoint allowed, in subwords; None if it
    is not known.

    It is the ``--tokens-per-sample`` of a run that began from random weights. A run that began from
    a model (``--from-pretrained``, ``--finetune-from-model``, or another ``--restore-file``) has
    positions of that model's training too.
    """
    # fairseq turns the settings of an old checkpoint into a config too.
    cfg = loaded.get("cfg") or {}
    tokens = _setting(cfg, "task", "tokens_per_sample")
    started = _setting(cfg, "checkpoint", "finetune_from_model")
    started = started or _setting(cfg, "model", "from_pretrained")
    continued = _setting(cfg, "checkpoint", "restore_file") not in (None, LAST)
    return None if started or continued or not isinstance(tokens, int) else tokens


def _setting(cfg: Mapping[str, Any], section: str, name: str) -> Any:
    """Returns a setting of a checkpoint's config; None if it has none of this name."""
    found: Any = cfg
    for key in (section, name):  # omegaconf 2.0 raises where a config is asked by get
        found = found.get(key) if isinstance(found, dict) else getattr(found, key, None)
    return found


def check_origin(
    loaded: dict[str, Any],
    dictionary: Dictionary,
    state: dict[str, Any],
    name: str,
    folder: str,
    *,
    with_head: bool,
) -> None:
    """Checks that a checkpoint was trained with this task's dictionary and labels.

    Args:
        loaded: the task state that the checkpoint holds.
        dictionary: the dictionary of this task.
        state: the state that this task keeps in its own checkpoints.
        name: the checkpoint's name.
        folder: the folder of this task.
        with_head: whether the checkpoint has the head that this task trains.

    Raises:
        UserError: the checkpoint has another dictionary, or its head has other labels.
    """
    check_trained_with(
        dictionary,
        loaded.get("dictionary"),
        path=Path(folder) / "dict.txt",
        checkpoint=name,
        remedy="prepare the task with --tokenizer and the data folder of that run",
    )
    if with_head:
        _check_labels(loaded.get("labels", state["labels"]), state["labels"], name, folder)


def _check_labels(given: Sequence[str], wanted: Sequence[str], name: str, folder: str) -> None:
    if list(given) != list(wanted):
        raise UserError(
            f"{name} was fine-tuned with the labels {', '.join(given)} but {folder} has "
            f"{', '.join(wanted)}: give the folder of its own run, or begin from a checkpoint that "
            "was not fine-tuned"
        )
