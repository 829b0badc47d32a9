"""Reads files of ``torch.save`` without running code in them, and writes such files."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from fairseq_amber.environment import version_tuple
from fairseq_amber.errors import UserError
from fairseq_amber.files import git_lfs
from fairseq_amber.files.writing import atomic_path

# The names that a pickle may hold: those that older versions of torch need to rebuild tensors and
# containers, and the class that holds the settings of a checkpoint.
_ALLOWED_NAMES = re.compile(
    r"collections\.OrderedDict|argparse\.Namespace|_codecs\.encode|torch\.Size"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|parameter)"
    r"|torch\.(storage\.)?(\w+Storage|_?[Tt]ypedStorage|UntypedStorage)"
    r"|torch\.(float16|float32|float64|bfloat16|int64|int32|int16|int8|uint8|bool)"
)


def read_torch_file(path: str | Path) -> Any:
    """Reads a file of ``torch.save`` onto the CPU.

    Only tensors, plain containers and ``argparse.Namespace`` are read; no code in the file ever
    runs. The checksums in the file are compared, which torch does not do: it would take a weight
    with a flipped bit as it is.

    Raises:
        UserError: the file cannot be read, is another kind of file, is damaged, or holds objects of
            any other class.
    """
    import torch

    git_lfs.check_file(path)
    try:
        file = open(path, "rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    options: dict[str, Any] = {"weights_only": True}
    if version_tuple(torch.__version__) >= (2, 4):
        torch.serialization.add_safe_globals([argparse.Namespace])
    else:
        options = {"pickle_module": RESTRICTED_PICKLE}
    with file:
        try:
            if _checksums_are_right(file):
                return torch.load(file, map_location="cpu", **options)
        except Exception as error:  # unpickling another kind of file may raise any exception
            refused_name = re.search(r"GLOBAL (\S+)", str(error))
            if refused_name and isinstance(error, pickle.UnpicklingError):
                raise UserError(
                    f"{path} is refused: it holds {refused_name[1]}, which is neither weights nor "
                    "settings and could run code; ask its maker for the weights alone"
                ) from None
    raise UserError(
        f"{path} is not a complete checkpoint: another kind of file, damaged, or cut short; fetch "
        "it again"
    )


def _checksums_are_right(file: BinaryIO) -> bool:
    """Compares the checksums of an archive; other files, which torch < 1.6 wrote, have none."""
    right = True
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            right = archive.testzip() is None
    file.seek(0)
    return right


def map_torch_file(path: str | Path) -> Any:
    """Reads a file as ``read_torch_file`` does, but a tensor only when it is used, where torch can
    do so (torch >= 2.4, and a file that is not of torch < 1.6).

    Raises:
        UserError: as ``read_torch_file``.
    """
    import torch

    if version_tuple(torch.__version__) >= (2, 4):
        torch.serialization.add_safe_globals([argparse.Namespace])
        try:
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # of any kind, as above; read_torch_file says what is wrong
            pass
    return read_torch_file(path)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint of ``fairseq-train``.

    Returns:
        The checkpoint, with the weights in ``model`` and the settings in ``cfg`` or ``args``.

    Raises:
        UserError: the file cannot be read (see ``read_torch_file``), or has no weights or no
            settings.
    """

    if Path(path, "config.json").is_file():
        raise UserError(
            f"{path} is a folder of Hugging Face: `fairseq-amber convert {path} OUT` makes the "
            "checkpoint OUT/model.pt of it"
        )
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder: name a checkpoint in it, such as checkpoint_best.pt")
    state = read_torch_file(path)
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise UserError(f"{path} is not a complete checkpoint of fairseq-train (checkpoint_*.pt)")
    if not (state.get("cfg") or state.get("args")):
        raise UserError(f"{path} holds weights but not the settings of their model")
    try:
        settings(state)
    except (AttributeError, KeyError, TypeError):
        raise UserError(f"{path}: the settings of its model are damaged; fetch it again") from None
    task_state, history = state.get("task_state") or {}, state.get("optimizer_history") or []
    if (
        not all(isinstance(n, str) and _has_values(v) for n, v in state["model"].items())
        or not isinstance(task_state, dict)
        or not isinstance(history, list)
        or not all(isinstance(entry, dict) for entry in history)
    ):
        raise UserError(f"{path} is damaged: it is not as fairseq-train writes it; fetch it again")
    return state


def _has_values(weight: Any) -> bool:
    """Tells whether a weight is an ordinary tensor: not sparse, and not the mere shape of one."""
    import torch

    return torch.is_tensor(weight) and weight.layout == torch.strided and not weight.is_meta


def is_finite(values: Any) -> bool:
    """Returns whether a tensor has numbers alone. Their sum is fifteen times faster than a look at
    each, which follows where the sum is not finite."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def settings(state: dict[str, Any]) -> tuple[Any, Any]:
    """Returns the settings of the model and of the task in a checkpoint of fairseq.

    fairseq has two formats: one namespace ``args`` for both, or a section for each in ``cfg``.
    """
    if state.get("cfg"):
        parts = state["cfg"]["model"], state["cfg"]["task"]
    else:
        parts = state["args"], state["args"]
    model, task = (
        part if isinstance(part, argparse.Namespace) else argparse.Namespace(**(part or {}))
        for part in parts
    )
    return model, task


def write_torch_file(state: Any, path: Path) -> None:
    """Writes an object with ``torch.save``, whole or not at all.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    with atomic_path(path) as temporary:
        save(state, temporary)


def save(state: Any, path: Path) -> None:
    """Writes an object with ``torch.save``; what is left of the file after an error is not whole.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    import torch

    try:
        torch.save(state, path)
    except RuntimeError as error:
        # torch's own writer does not tell what the system said; a file of Python does
        with open(path, "wb", buffering=0) as file:
            observed: Any = _ObservedFile(file)
            try:
                torch.save(state, observed)
            except (RuntimeError, OSError):
                cause = observed.error or OSError(str(error).splitlines()[0])
                raise cause from None


class _ObservedFile:
    """A file for torch to write to, which keeps the first error."""

    def __init__(self, file: Any):
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Writes all of the data."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += self._file.write(view[done:])
        except OSError as error:
            self.error = self.error or error
            raise
        return done

    def flush(self) -> None:
        """Does nothing: the file has no buffer."""


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that refuses every class and function that ``_ALLOWED_NAMES`` does not match."""

    def find_class(self, module: str, name: str) -> Any:
        """Looks up a class or function that the pickle names, if it is allowed."""
        if not _ALLOWED_NAMES.fullmatch(f"{module}.{name}"):
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name} is not allowed")
        return super().find_class(module, name)


# This is for torch < 2.4: its ``weights_only`` cannot be told to accept Namespace, and torch 1.12
# does not have that option.
RESTRICTED_PICKLE = SimpleNamespace(
    __name__="pickle",
    Unpickler=_RestrictedUnpickler,
    load=lambda file, **options: _RestrictedUnpickler(file, **options).load(),
)
