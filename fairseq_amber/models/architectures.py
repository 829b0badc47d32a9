"""The architectures of the model ``amber``: ``--arch amber_base`` and its sisters.

A flag such as ``--encoder-layers 6`` overrides what an architecture sets.
"""

from __future__ import annotations

from typing import Any

from fairseq.models import register_model_architecture

from fairseq_amber.models.shapes import SHAPES


def _register(name: str, shape: dict[str, Any]) -> None:
    def fill(args) -> None:
        for key, value in shape.items():
            setattr(args, key, getattr(args, key, value))

    fill.__name__ = name
    register_model_architecture("amber", name)(fill)


for _name, _shape in SHAPES.items():
    _register(_name, _shape)
