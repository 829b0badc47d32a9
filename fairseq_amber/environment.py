"""What the package runs on: finds fairseq, and says in one line what is missing or broken."""

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
    """``"2.13.0+cpu"`` -> ``(2, 13)``."""
    numbers = re.findall(r"\d+", version)
    return int(numbers[0]), int(numbers[1])


def package_version(*distributions: str) -> str | None:
    """The version of an installed package, known by one of these names; None where there is none.

    It imports nothing, so that it is fast and works for packages that are broken.
    """
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def require_fairseq() -> ModuleType:
    """Imports and returns fairseq.

    Raises UserError, naming the remedy, where torch or fairseq is missing, too old or broken, and
    where PyPI's ``apex`` stands in the place of NVIDIA's.
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
        # a folder without __init__.py, which Python imports where it finds nothing better
        place = next(iter(getattr(fairseq, "__path__", [])), "?")
        raise UserError(
            f"fairseq is not installed, or hidden by the folder {place}: {_install_remedy()}"
        )
    return fairseq


def patch_stock_fairseq() -> None:
    """Makes the checkpoints that are around loadable, by changes in the running process.

    Pretrained ones lack what fairseq's trainer asks every checkpoint for: the criterion's state,
    and, stripped of all but settings and weights, that of the training.

    With torch >= 2.6 and a fairseq that was not made for it, ``argparse.Namespace``, which models
    with legacy arguments keep in their checkpoints, is allowed under ``weights_only``; and rank 0
    passes objects to the other ranks through torch's own ``broadcast_object_list``, because
    fairseq's way reads them back under ``weights_only`` too. Call it after fairseq is imported.
    """
    import torch
    from fairseq import checkpoint_utils

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
    """fairseq's upgrade of older checkpoints, for those that were never meant to go on either."""

    def complete(state: dict[str, Any]) -> dict[str, Any]:
        if not {"optimizer_history", "best_loss"} & state.keys():
            state["optimizer_history"] = [{"criterion_name": "", "best_loss": None}]
        if "epoch" not in state:
            state.setdefault("extra_state", {})
        state.setdefault("criterion", None)
        return upgrade(state)

    return complete


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
    """Where PyPI's ``apex``, which is not NVIDIA's, is installed; None where it is not."""
    # find_spec does not run the package: PyPI's one fails in many ways when imported
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
