"""How ``fairseq-train`` saves: each checkpoint whole or not at all.

fairseq copies a checkpoint onto ``checkpoint_last.pt`` in place. Killed in that moment, or on a
full disk, it leaves a torn file, from which no run can go on.
"""

from __future__ import annotations

import functools
import os
import tempfile
from typing import Any, Callable

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.files.writing import atomic_writer

_BLOCK = 1 << 24  # bytes that are copied at once


def guard_saving() -> None:
    """Makes the fairseq of this process, edited or not, save checkpoints whole or not at all.

    What goes to a remote store, or is written asynchronously, stays fairseq's affair.
    """
    if issubclass(checkpoint_utils.PathManager, WholeFiles):
        return
    checkpoint_utils.PathManager = WholeFiles
    stock = checkpoint_utils.torch_persistent_save
    checkpoint_utils.torch_persistent_save = _saving_whole(stock)
    checkpoint_utils.save_checkpoint = _saving(checkpoint_utils.save_checkpoint)
    checkpoint_utils.verify_checkpoint_directory = check_save_dir


@exit_clearly
def check_save_dir(save_dir: str) -> None:
    """Makes the folder of a run and checks that it can be written to, before anything is read.

    fairseq's own check ends in a traceback, and replaces and removes a file named ``dummy``.
    """
    try:
        os.makedirs(save_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=save_dir):
            pass
    except OSError as error:
        fault = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise UserError(
            f"cannot write to --save-dir {save_dir}: {fault}; name a folder that you can write to"
        ) from None


class WholeFiles(PathManager):
    """fairseq's access to files, whose copies appear whole or not at all."""

    @staticmethod
    def copy(src_path: str, dst_path: str, overwrite: bool = False) -> Any:
        """Copies a file.

        Args:
            src_path: the file.
            dst_path: the copy, which takes the place of what is there.
            overwrite: for remote stores: whether it may take that place.

        Returns:
            What is true if the file was copied.

        Raises:
            UserError: the copy cannot be written.
        """
        if not _is_local(src_path) or not _is_local(dst_path):
            return PathManager.copy(src_path, dst_path, overwrite)
        with open(src_path, "rb") as source, atomic_writer(dst_path, binary=True) as file:
            while block := source.read(_BLOCK):
                file.write(block)
        return dst_path


def _is_local(path: str) -> bool:
    return not PathManager.path_requires_pathmanager(path)


def _saving_whole(stock: Callable[..., None]) -> Callable[..., None]:
    """Returns fairseq's ``torch_persistent_save`` with local files that are whole or absent."""

    @functools.wraps(stock)
    def save(obj: Any, filename: str, async_write: bool = False) -> None:
        if async_write or not _is_local(filename):
            stock(obj, filename, async_write=async_write)
            return
        with atomic_writer(filename, binary=True) as file:
            try:
                torch.save(obj, file)
            except RuntimeError as error:
                raise _cause_on_disk(error) from None

    return save


def _cause_on_disk(error: BaseException) -> BaseException:
    """Returns the system's error that torch's writer hides behind its own, if there is one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return error if cause is None else cause


def _saving(stock: Callable[..., None]) -> Callable[..., None]:
    """Returns fairseq's ``save_checkpoint`` with names that a file can have, and one clear line if
    a checkpoint cannot be written."""

    @functools.wraps(stock)
    @exit_clearly
    def save_checkpoint(cfg: Any, *arguments: Any, **named: Any) -> None:
        metric = cfg.best_checkpoint_metric
        if os.sep in metric:  # of a corpus: retrieval/de-en
            cfg = cfg.copy()
            cfg.best_checkpoint_metric = metric.replace(os.sep, "_")
        try:
            stock(cfg, *arguments, **named)
        except (UserError, OSError) as error:
            fault = str(error)
            if isinstance(error, OSError):
                fault = f"cannot write a checkpoint to {cfg.save_dir}: {error.strerror or error}"
            raise UserError(
                f"{fault}; the checkpoints that were there are whole: make room, and the same "
                "command goes on from the last one"
            ) from None

    return save_checkpoint
