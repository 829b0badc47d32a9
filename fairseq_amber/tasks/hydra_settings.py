"""Mistakes in the settings of ``fairseq-hydra-train`` that flags of ``fairseq-train`` cannot have:
each ends in one line."""

from __future__ import annotations

import os
from typing import Any, Iterator

from fairseq.dataclass.configs import FairseqConfig
from fairseq.registry import REGISTRIES
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fairseq_amber.errors import UserError

_NAMED = ("optimizer", "lr_scheduler")  # what the tasks do not look up themselves
_ADDED = "job_logging_cfg"  # by fairseq, beside the groups
_PATHS = (
    ("task", "data"),
    ("model", "from_pretrained"),
    ("checkpoint", "finetune_from_model"),
    ("criterion", "anchor_checkpoint"),
    ("criterion", "l2_links"),
    ("criterion", "contrast_links"),
)


def check_task_settings(cfg: Any) -> None:
    """Checks the paths among the settings, before a task reads one.

    Args:
        cfg: the task's settings, which may have those of the run as their parent.

    Raises:
        UserError: a path is missing, or is meant from the folder where the run was started, which
            hydra has left.
    """
    if not isinstance(cfg, DictConfig):
        return
    whole = cfg._get_parent()
    for group, key in _PATHS:
        # omegaconf 2.0 takes it for an error to ask for what is not there
        settings = cfg if group == "task" else None
        if settings is None and isinstance(whole, DictConfig) and group in list(whole):
            settings = whole[group]
        if not isinstance(settings, DictConfig) or key not in list(settings):
            continue
        if OmegaConf.is_missing(settings, key):
            raise UserError(f"{group}.{key} is missing: give {group}.{key}=PATH")
        value = settings.get(key)
        for path in value.split(os.pathsep) if isinstance(value, str) else ():
            _check_path(f"{group}.{key}", path)


def check_groups(whole: Any) -> None:
    """Checks the settings of a run that begins.

    Args:
        whole: all of fairseq's settings; others are not looked at.

    Raises:
        UserError: a group or a name does not exist, or a value is missing.
    """
    if not isinstance(whole, DictConfig) or "dataset" not in whole:
        return
    unknown = [
        str(key) for key in whole if key not in (*FairseqConfig.__dataclass_fields__, _ADDED)
    ]
    if unknown:
        raise UserError(
            f"{unknown[0]} is no group of settings, and nothing would read it; there are "
            f"{', '.join(key for key in FairseqConfig.__dataclass_fields__ if key[0] != '_')}"
        )
    for key in _missing(whole):
        raise UserError(f"{key} is missing: give {key}=VALUE")
    for group in _NAMED:
        name, known = getattr(whole.get(group), "_name", None), REGISTRIES[group]["registry"]
        if name is not None and name not in known:
            raise UserError(
                f"{group}._name={name}: there is no such name; there are {', '.join(sorted(known))}"
            )


def _missing(cfg: DictConfig, above: str = "") -> Iterator[str]:
    """Yields the settings that have no value, as ``group.name``."""
    for name in map(str, cfg):
        if OmegaConf.is_missing(cfg, name):
            yield f"{above}{name}"
        elif isinstance(cfg[name], DictConfig):
            yield from _missing(cfg[name], f"{above}{name}.")


def _check_path(name: str, path: str) -> None:
    if not HydraConfig.initialized() or not path or os.path.exists(path):
        return
    start = str(HydraConfig.get().runtime.cwd)
    if os.path.exists(os.path.join(start, path)):
        raise UserError(
            f"{name}={path} is in {start}, but hydra has gone to {os.getcwd()}: give the path from "
            "the root, or hydra.run.dir=."
        )
