"""What a run's settings may be that belong to fairseq: some it takes for nothing, some end in a
traceback hours later, some ask for a package that is not there."""

from __future__ import annotations

import importlib.util
from math import isnan
from typing import Any, Iterator

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf

from fairseq_amber.errors import UserError
from fairseq_amber.tasks.hydra_settings import check_groups

# What fairseq-train imports for a setting, and, where the package is missing, leaves out with a
# warning: (section, setting), the flag, the modules of which one is enough, and what pip installs.
_EXTRAS = (
    (("common", "tensorboard_logdir"), ("tensorboard", "tensorboardX"), "tensorboard"),
    (("common", "wandb_project"), ("wandb",), "wandb"),
    (("common", "aim_repo"), ("aim",), "aim"),
    (("common", "azureml_logging"), ("azureml",), "azureml-core"),
    (("checkpoint", "write_checkpoints_asynchronously"), ("iopath",), "iopath"),
)

# The smallest number that means something, by (section, setting).
_LEAST = {
    ("common", "log_interval"): 1,
    ("dataset", "num_workers"): 0,
    ("dataset", "validate_interval"): 1,
    ("dataset", "validate_interval_updates"): 0,
    ("dataset", "max_valid_steps"): 1,
    ("optimization", "max_epoch"): 0,
    ("optimization", "max_update"): 0,
    ("optimization", "stop_time_hours"): 0,
    ("optimization", "clip_norm"): 0,
    ("optimization", "lr"): 0,
    ("checkpoint", "save_interval"): 1,
    ("checkpoint", "save_interval_updates"): 0,
    ("optimizer", "weight_decay"): 0,
    ("optimizer", "adam_eps"): 0,
    ("lr_scheduler", "warmup_updates"): 0,
    ("lr_scheduler", "total_num_update"): 1,
}


def check_run(cfg: Any) -> None:
    """Checks the settings of a run that are not the task's, if the config of the task knows them.

    Raises:
        UserError: a number is out of its range, a setting needs a package that is not installed, or
            is not supported, or is one that ``fairseq-hydra-train`` alone can take.
    """
    check_groups(whole_config(cfg))
    for name, value in _numbers(whole_config(cfg)):
        if isnan(value):
            raise UserError(f"{_flag(name)} nan is not a number")
    for (section, setting), least in _LEAST.items():
        given = _setting(cfg, section, setting)
        for value in given if isinstance(given, ListConfig) else [given]:
            if isinstance(value, (int, float)) and value < least:
                raise UserError(f"{_flag(setting)} {value:g} is not {least} or more")
    for (section, setting), modules, package in _EXTRAS:
        given = _setting(cfg, section, setting)
        if given and not any(map(importlib.util.find_spec, modules)):
            flag = _flag(setting)
            raise UserError(f"{flag} needs {package}: pip install {package}, or drop the flag")
    if _setting(cfg, "common", "fp16") and _flattens_on_a_gpu(cfg):
        raise UserError(
            "--fp16 copies the parameters into one vector on a GPU, and this run has none: add "
            "--fp16-no-flatten-grads, or give --bf16 in its place"
        )
    # A single process ignores the backend.
    if (
        _setting(cfg, "distributed_training", "ddp_backend") == "slowmo"
        and _setting(cfg, "distributed_training", "distributed_world_size") != 1
    ):
        raise _unsupported("slowmo")


def check_shards(cfg: Any) -> None:
    """Raises UserError if the run would cut the model into shards.

    fairseq asks for the packages of shards before it asks the task for a model.
    """
    if _setting(cfg, "distributed_training", "ddp_backend") == "fully_sharded":
        raise _unsupported("fully_sharded")


def _flattens_on_a_gpu(cfg: Any) -> bool:
    """Returns whether fairseq would make its flat copies, though the run has no GPU."""
    others = ("memory_efficient_fp16", "fp16_no_flatten_grads", "amp")
    if any(_setting(cfg, "common", name) for name in others):
        return False
    return bool(_setting(cfg, "common", "cpu")) or not torch.cuda.is_available()


def _unsupported(backend: str) -> UserError:
    return UserError(
        f"--ddp-backend {backend} is not supported: after each update every rank has to hold the "
        "same whole model; give pytorch_ddp or legacy_ddp"
    )


def whole_config(cfg: Any) -> Any:
    """Returns all of fairseq's config, which a task's own config knows as its parent; None if the
    task was made without."""
    return cfg._get_parent() if hasattr(cfg, "_get_parent") else None


def _setting(cfg: Any, section: str, name: str) -> Any:
    """Returns a setting of a run; None if it has none of that name."""
    found = whole_config(cfg)
    for key in (section, name):  # omegaconf 2.0 takes it for an error to ask for what is not there
        if not isinstance(found, DictConfig) or key not in list(found):
            return None
        found = None if OmegaConf.is_missing(found, key) else found[key]
    return found


def _numbers(cfg: Any) -> Iterator[tuple[str, float]]:
    """Yields the fractional numbers of a config, with their names."""
    for name in cfg if isinstance(cfg, DictConfig) else ():
        value = None if OmegaConf.is_missing(cfg, name) else cfg[name]
        if isinstance(value, DictConfig):
            yield from _numbers(value)
        for number in value if isinstance(value, ListConfig) else [value]:
            if isinstance(number, float):
                yield str(name), number


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
