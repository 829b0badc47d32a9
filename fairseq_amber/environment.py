"""Finds torch and fairseq, and says in one line what is missing or broken."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from fairseq_amber.errors import UserError

MINIMUM_TORCH = (1, 12)


def version_tuple(version: str) -> tuple[int, int]:
    """Returns the first two numbers of a version: ``(2, 13)`` for ``"2.13.0+cpu"``."""
    numbers = re.findall(r"\d+", version)
    return int(numbers[0]), int(numbers[1])


def package_version(*distributions: str) -> str | None:
    """Returns the version of an installed package.

    It imports nothing, so that it is fast and works for broken packages.

    Args:
        distributions: the names under which the package may be installed.

    Returns:
        The version, or None if the package is not installed.
    """
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def require_fairseq() -> ModuleType:
    """Imports and returns fairseq.

    Raises:
        UserError: torch or fairseq is missing, too old or broken, or PyPI's ``apex`` is installed
            instead of NVIDIA's; the message names the remedy.
    """
    _check_torch()
    _check_apex()
    try:
        fairseq = importlib.import_module("fairseq")
    except ModuleNotFoundError as error:
        if error.name == "fairseq":
            raise UserError(f"fairseq is not installed: {_install_remedy()}") from None
        raise _broken(error) from error
    except Exception as error:
        raise _broken(error) from error
    if not hasattr(fairseq, "__version__"):
        # Python imports a folder without __init__.py if it finds no package of that name
        place = next(iter(getattr(fairseq, "__path__", [])), "?")
        raise UserError(
            f"fairseq is not installed, or hidden by the folder {place}: {_install_remedy()}"
        )
    return fairseq


def patch_stock_fairseq() -> None:
    """Changes fairseq in the running process so that it loads the checkpoints that exist, and
    takes the flag that torch's launcher adds.

    Pretrained checkpoints lack what fairseq's trainer expects: the state of the criterion, and
    that of the training if only settings and weights were kept.

    With torch >= 2.6 and a stock fairseq, there are two more changes. ``argparse.Namespace``, which
    models with legacy arguments keep in their checkpoints, is allowed under ``weights_only``. And
    rank 0 sends objects to the other ranks with torch's own ``broadcast_object_list``, because
    fairseq's function reads them under ``weights_only`` too.

    ``--local-rank``, which ``torch.distributed.launch`` gives since torch 2, is accepted as fairseq
    accepts ``--local_rank``, which it gave before.

    Call this function after fairseq is imported.
    """
    import torch
    from fairseq import checkpoint_utils, options

    if options.gen_parser_from_dataclass.__module__ != __name__:
        options.gen_parser_from_dataclass = _with_local_rank(options.gen_parser_from_dataclass)
    if checkpoint_utils._upgrade_state_dict.__module__ != __name__:
        checkpoint_utils._upgrade_state_dict = _upgrading(checkpoint_utils._upgrade_state_dict)
    if version_tuple(torch.__version__) < (2, 6):
        return
    torch.serialization.add_safe_globals([argparse.Namespace])
    import fairseq
    from fairseq.distributed import utils as distributed_utils

    if "+amber" not in fairseq.__version__:
        distributed_utils._broadcast_object_slow = _broadcast_object


def _upgrading(upgrade: Callable[[dict[str, Any]], dict[str, Any]]):
    """Extends fairseq's upgrade of old checkpoints to those that hold no state of a training."""

    def complete(state: dict[str, Any]) -> dict[str, Any]:
        if not {"optimizer_history", "best_loss"} & state.keys():
            state["optimizer_history"] = [{"criterion_name": "", "best_loss": None}]
        if "epoch" not in state:
            state.setdefault("extra_state", {})
        state.setdefault("criterion", None)
        return upgrade(state)

    return complete


def _with_local_rank(add_flags: Callable[..., None]):
    """Extends the function by which fairseq adds flags to a parser to a second spelling of one."""

    def add(parser: Any, *args: Any, **kwargs: Any) -> None:
        add_flags(parser, *args, **kwargs)
        actions = parser._option_string_actions
        if "--local_rank" in actions:
            actions.setdefault("--local-rank", actions["--local_rank"])

    return add


def _broadcast_object(obj: Any, src_rank: int, group: Any, dist_device: Any) -> Any:
    import torch.distributed

    box = [obj]
    torch.distributed.broadcast_object_list(box, src=src_rank, group=group, device=dist_device)
    return box[0]


def _check_torch() -> None:
    version = package_version("torch")
    if version is None:
        raise UserError(f"torch is not installed: {_install_remedy()}")
    if version_tuple(version) < MINIMUM_TORCH:
        needed = ".".join(map(str, MINIMUM_TORCH))
        raise UserError(
            f"torch {version} is too old, {needed} or newer is needed: "
            f"pip install 'torch>={needed}'"
        )


def apex_of_pypi() -> Path | None:
    """Returns the folder of PyPI's ``apex``, which is not NVIDIA's, or None if it is not there."""
    # find_spec does not run the package, because importing PyPI's apex fails in many ways
    spec = importlib.util.find_spec("apex")
    if spec is None or not spec.submodule_search_locations:
        return None
    folders = [Path(place) for place in spec.submodule_search_locations]
    if any((folder / "__init__.py").exists() for folder in folders) and not any(
        (folder / "normalization").exists() for folder in folders
    ):
        return folders[0]
    return None


def _check_apex() -> None:
    folder = apex_of_pypi()
    if folder is not None:
        raise UserError(
            f"{folder} is PyPI's apex, a web toolkit, not NVIDIA's: pip uninstall apex "
            "(NVIDIA's is optional, and built from github.com/NVIDIA/apex)"
        )


def _broken(error: Exception) -> UserError:
    cause = f"{type(error).__name__}: {error}".splitlines()[0]
    place = getattr(importlib.util.find_spec("fairseq"), "origin", None)
    return UserError(f"fairseq in {place} cannot be imported ({cause}): {_install_remedy()}")


def _install_remedy() -> str:
    if sys.version_info < (3, 10):
        return "pip install 'pip<24.1', then pip install fairseq==0.12.2 (docs/installation.md)"
    return (
        "pip install ./third_party/fairseq in a checkout of fairseq_amber, "
        "or run scripts/setup.sh there (docs/installation.md)"
    )
