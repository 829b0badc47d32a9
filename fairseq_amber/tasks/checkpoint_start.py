"""How ``fairseq-train`` begins: from a whole checkpoint, alone in its folder, or with one line.

fairseq begins anew where a named checkpoint is missing, and ends in a traceback where one is
damaged, also if a whole one lies beside it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import traceback
from typing import Any, Callable, NamedTuple

from fairseq import checkpoint_utils
from fairseq.distributed import utils as distributed_utils
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer

from fairseq_amber.errors import UserError, exit_clearly, warn
from fairseq_amber.files.checkpoint_folder import (
    check_checkpoint,
    checkpoints_of,
    newest_whole,
    remove_side_files,
)
from fairseq_amber.files.locks import locked

LAST = "checkpoint_last.pt"  # fairseq's default: where the run itself stopped
_STARTS = ("continue_once", "finetune_from_model")  # settings that name another checkpoint
_held = contextlib.ExitStack()  # the lock of the folder, until this process ends
atexit.register(_held.close)


class Start(NamedTuple):
    """What a training begins from.

    Attributes:
        path: the checkpoint; None for random weights.
        stand_in: why ``path`` stands in for the run's last checkpoint; empty if it does not.
    """

    path: str | None
    stand_in: str = ""


def guard_start() -> None:
    """Makes the fairseq of this process, edited or not, check what a training begins from."""
    if getattr(checkpoint_utils.load_checkpoint, "guarded", False):
        return
    checkpoint_utils.load_checkpoint = _starting(checkpoint_utils.load_checkpoint)
    Trainer.load_checkpoint = _loading(Trainer.load_checkpoint)


def find_start(cfg: Any) -> Start:
    """Finds the checkpoint that a training begins from, and checks that it is whole.

    Args:
        cfg: fairseq's settings of checkpoints, or those of a task that repeat them.

    Raises:
        UserError: a checkpoint that a flag names is missing or damaged, or the run's last one is
            damaged and no other one in its folder is whole.
    """
    own = os.path.join(cfg.save_dir, LAST)
    if not _is_last(cfg):
        return Start(_checked(cfg.restore_file, "--restore-file"))
    if PathManager.exists(own):
        if PathManager.path_requires_pathmanager(own):
            return Start(own)
        try:
            check_checkpoint(own)
            return Start(own)
        except UserError as error:
            return _stand_in(cfg.save_dir, str(error))
    if checkpoints_of(cfg.save_dir) and not getattr(cfg, "no_last_checkpoints", False):
        return _stand_in(cfg.save_dir, f"{own} is missing")
    for name in _STARTS:
        named = getattr(cfg, name, None)
        if named is not None:
            return Start(_checked(named, "--" + name.replace("_", "-")))
    return Start(None)


def check_alone(cfg: Any) -> None:
    """Checks that no flag beside ``--from-pretrained`` names what a training begins from.

    Args:
        cfg: fairseq's settings of checkpoints.

    Raises:
        UserError: another one does.
    """
    others = [name for name in _STARTS if getattr(cfg, name, None) is not None]
    if not _is_last(cfg):
        others.append("restore_file")
    if others:
        flags = ", ".join("--" + name.replace("_", "-") for name in others)
        raise UserError(
            f"--from-pretrained and {flags}: each names what the run begins from; drop either"
        )


def _is_last(cfg: Any) -> bool:
    """Returns whether ``--restore-file`` is the run's own last checkpoint, which need not exist."""
    if cfg.restore_file == LAST:
        return True
    return os.path.realpath(cfg.restore_file) == os.path.realpath(os.path.join(cfg.save_dir, LAST))


def _checked(path: str, flag: str) -> str:
    """Returns the path of a checkpoint that a flag names, if it is there and whole."""
    if os.path.isdir(path):
        raise UserError(
            f"{flag} {path} is a folder: name a checkpoint, or give --from-pretrained {path}"
        )
    if not PathManager.isfile(path):
        raise UserError(f"{flag} {path}: there is no such file; correct the path")
    if not PathManager.path_requires_pathmanager(path):
        try:
            check_checkpoint(path)
        except UserError as error:
            raise UserError(
                f"{flag}: {error}; give a whole checkpoint of fairseq-train (fairseq-amber convert "
                "makes one of a Hugging Face model)"
            ) from None
    return path


def _stand_in(folder: str, fault: str) -> Start:
    found = newest_whole(folder)
    if found is None:
        raise UserError(
            f"{fault}, and {folder} has no other whole checkpoint: put a copy there, or remove the "
            "damaged ones to begin anew"
        )
    return Start(
        str(found.path),
        f"{fault}: going on from {found.path}, the newest whole checkpoint ({found.updates} "
        "updates)",
    )


def _starting(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Returns fairseq's ``load_checkpoint`` that begins from ``find_start``."""

    @functools.wraps(stock)
    @exit_clearly
    def load_checkpoint(cfg: Any, trainer: Any, **passed_on: Any) -> Any:
        _check_flags(cfg)
        if trainer.checkpoint_suffix:  # a file for each rank, which no other one can stand in for
            return stock(cfg, trainer, **passed_on)
        start = _of_first_rank(trainer, functools.partial(_enter, cfg))
        if start.stand_in:
            cfg = cfg.copy()
            cfg.restore_file, cfg.finetune_from_model = start.path, None
        elif _is_last(cfg):
            cfg = cfg.copy()
            cfg.restore_file = LAST
        loaded = stock(cfg, trainer, **passed_on)
        if start.stand_in and not cfg.no_save and distributed_utils.get_global_rank() == 0:
            _complete_save(cfg.save_dir, start, loaded[0])
        return loaded

    load_checkpoint.guarded = True  # type: ignore[attr-defined]
    return load_checkpoint


def _check_flags(cfg: Any) -> None:
    """Raises UserError if two flags exclude each other."""
    if not cfg.finetune_from_model:
        return
    resets = [
        "--" + name.replace("_", "-")
        for name in ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")
        if getattr(cfg, name)
    ]
    if not _is_last(cfg):
        resets.append("--restore-file")
    if resets:
        raise UserError(
            f"--finetune-from-model and {', '.join(resets)}: the first begins a new run from a "
            "model alone, the others go on with a run; drop either"
        )


def _enter(cfg: Any) -> Start:
    """Takes the folder of the run, tidies it, and finds what the run begins from."""
    if not cfg.no_save:
        _held.enter_context(locked(cfg.save_dir))
        remove_side_files(cfg.save_dir)
    start = find_start(cfg)
    if start.stand_in:
        warn(start.stand_in)
    return start


def _complete_save(folder: str, start: Start, extra_state: dict[str, Any] | None) -> None:
    """Makes a checkpoint the best one too, if it was the best one when it was saved, and the run
    was killed before it had a best one."""
    best, state = os.path.join(folder, "checkpoint_best.pt"), extra_state or {}
    was_best = state.get("val_loss") is not None and state["val_loss"] == state.get("best")
    if was_best and not os.path.exists(best):
        checkpoint_utils.PathManager.copy(start.path, best, overwrite=True)


def _of_first_rank(trainer: Any, function: Callable[[], Start]) -> Start:
    """Returns on all ranks what a function returns on the first; all end if it raises UserError."""
    outcome: Any = None
    if trainer.data_parallel_rank == 0:
        try:
            outcome = [*function(), ""]
        except UserError as error:
            outcome = [None, "", str(error)]
    if trainer.data_parallel_world_size > 1:
        group, device = trainer.data_parallel_process_group, trainer.device
        outcome = distributed_utils.broadcast_object(
            outcome, src_rank=0, group=group, dist_device=device
        )
    *start, fault = outcome
    if fault and trainer.data_parallel_rank:
        raise SystemExit(1)  # the first rank says why
    if fault:
        raise UserError(fault)
    return Start(*start)


def _loading(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the trainer's ``load_checkpoint`` with one clear line if a checkpoint is of another
    model, criterion or optimiser."""

    @functools.wraps(stock)
    @exit_clearly
    def load_checkpoint(self: Any, filename: str, *arguments: Any, **named: Any) -> Any:
        try:
            return stock(self, filename, *arguments, **named)
        except SystemExit as end:  # of the model or the task, which do not know the file's name
            line = end.code
            if isinstance(line, str):
                line = line.replace("the checkpoint", filename, 1)
            raise SystemExit(line) from None
        except Exception as error:
            # an assertion without words says what it asserts
            text = (str(error) or traceback.extract_tb(error.__traceback__)[-1].line or "").strip()
            text = text.partition("\n")[0]
            if "Cannot load model parameters" in text:
                cause = str(error.__context__).splitlines()[0]
                raise UserError(
                    f"{filename} is of another model or criterion ({cause}): give the --arch, the "
                    "--criterion and the flags of its own run"
                ) from None
            if isinstance(error, KeyError):
                raise UserError(
                    f"{filename} is not as fairseq-train writes a checkpoint: it has no {text}; "
                    "give a checkpoint_*.pt of a training"
                ) from None
            if isinstance(error, AssertionError) or "loaded state dict" in text:
                raise UserError(
                    f"{filename} cannot go on so: {text}; give the flags of its own run, "
                    "or --reset-optimizer"
                ) from None
            raise

    return load_checkpoint
