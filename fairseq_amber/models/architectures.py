"""Registers the architectures of the model ``amber``, such as ``--arch amber_base``.

A flag such as ``--encoder-layers 6`` overrides a setting of the architecture.
"""

from __future__ import annotations

from typing import Any

from fairseq.models import register_model_architecture

from fairseq_amber.models.shapes import SHAPES


def _register(name: str, shape: dict[str, Any]) -> None:
    """Registers an architecture, which fills in the settings that are not given."""

    def fill(args) -> None:
        for key, value in shape.items():
            setattr(args, key, getattr(args, key, value))

    fill.__name__ = name
    register_model_architecture("amber", name)(fill)


for _name, _shape in SHAPES.items():
    _register(_name, _shape)
