"""Registers the architectures of the model ``amber``, such as ``--arch amber_base``.

A flag such as ``--encoder-layers 6`` overrides a setting of the architecture.
"""

from __future__ import annotations

from dataclasses import asdict, field, make_dataclass
from typing import Any

from fairseq.models import (
    ARCH_MODEL_NAME_REGISTRY,
    MODEL_DATACLASS_REGISTRY,
    register_model_architecture,
)
from hydra.core.config_store import ConfigStore

from fairseq_amber.models.amber import AmberConfig
from fairseq_amber.models.shapes import SHAPES


def _register(name: str, shape: dict[str, Any]) -> None:
    """Registers an architecture, which fills in the settings that are not given."""

    def fill(args) -> None:
        for key, value in shape.items():
            setattr(args, key, getattr(args, key, value))

    fill.__name__ = name
    register_model_architecture("amber", name)(fill)
    # Before it asks an architecture, fairseq-hydra-train fills in what is not given by the defaults
    # of the model's dataclass: so each architecture has a dataclass with its own.
    config = _config(name, shape)
    MODEL_DATACLASS_REGISTRY[name] = config
    ARCH_MODEL_NAME_REGISTRY[name] = name
    node = config()
    node._name = name
    ConfigStore.instance().store(name=name, group="model", node=node, provider="fairseq")


def preset(name: str) -> dict[str, Any]:
    """Returns the settings of an architecture, ``amber`` included, where no flag changes them."""
    return asdict(MODEL_DATACLASS_REGISTRY[name]())


def _config(name: str, shape: dict[str, Any]) -> type:
    """Returns the settings of ``amber`` with the shape of an architecture as defaults."""
    known = AmberConfig.__dataclass_fields__
    fields = [
        (key, known[key].type, field(default=value, metadata=known[key].metadata))
        for key, value in shape.items()
    ]
    return make_dataclass(f"AmberConfig_{name}", fields, bases=(AmberConfig,))


for _name, _shape in SHAPES.items():
    _register(_name, _shape)
