"""How ``fairseq-validate`` and fairseq's hub interface read a model: whole, or with one line.

fairseq ends in a traceback where the checkpoint is missing, and takes a weight with a flipped bit
as it is.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any, Callable, Sequence

from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.files.checkpoint_folder import check_checkpoint


def guard_loading() -> None:
    """Makes the fairseq of this process check each checkpoint of a model before it loads it."""
    stock = checkpoint_utils.load_model_ensemble_and_task
    if not getattr(stock, "guarded", False):
        checkpoint_utils.load_model_ensemble_and_task = _checking(stock)


def _checking(stock: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(stock)

    @functools.wraps(stock)
    @exit_clearly
    def load_model_ensemble_and_task(
        filenames: Sequence[str | None], *arguments: Any, **named: Any
    ) -> Any:
        given = parameters.bind(filenames, *arguments, **named).arguments
        in_parts = given.get("suffix") or given.get("num_shards", 1) > 1  # have names of their own
        if not in_parts and given.get("state") is None:
            for name in filenames:
                check_model(name)
        return stock(filenames, *arguments, **named)

    load_model_ensemble_and_task.guarded = True  # type: ignore[attr-defined]
    return load_model_ensemble_and_task


def check_model(name: str | None) -> None:
    """Checks that a file on this machine is a whole checkpoint.

    Raises:
        UserError: it is missing, another kind of file, or damaged.
    """
    if not name:
        raise UserError("no checkpoint is named: give --path CHECKPOINT")
    if PathManager.path_requires_pathmanager(name):
        return
    if not os.path.exists(name):
        several = [part for part in name.split(os.pathsep) if os.path.exists(part)]
        remedy = "one checkpoint at a time" if several else "correct the path"
        raise UserError(f"{name}: there is no such file; {remedy}")
    if os.path.isdir(name):
        raise UserError(f"{name} is a folder: name a checkpoint in it, such as checkpoint_best.pt")
    try:
        check_checkpoint(name)
    except UserError as error:
        raise UserError(f"{error}; name another checkpoint, or fetch it again") from None
