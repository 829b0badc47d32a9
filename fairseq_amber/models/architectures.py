"""The architectures of the model ``amber``: ``--arch amber_base`` and its sisters.

A flag such as ``--encoder-layers 6`` overrides what an architecture sets.
"""

from __future__ import annotations

from fairseq.models import register_model_architecture


def _architecture(name: str, layers: int, dim: int, heads: int, **others: float) -> None:
    shape = dict(
        encoder_layers=layers,
        encoder_embed_dim=dim,
        encoder_ffn_embed_dim=4 * dim,
        encoder_attention_heads=heads,
        **others,
    )

    def fill(args) -> None:
        for key, value in shape.items():
            setattr(args, key, getattr(args, key, value))

    fill.__name__ = name
    register_model_architecture("amber", name)(fill)


# For tests and the quickstart.
_architecture("amber_tiny", layers=2, dim=128, heads=4, max_positions=128)
# The shape of multilingual MiniLM's 6-layer students (arXiv 2012.15828).
_architecture("amber_small", layers=6, dim=384, heads=12, max_positions=512)
# XLM-R base and large (arXiv 1911.02116).
_architecture("amber_base", layers=12, dim=768, heads=12, max_positions=512)
_architecture("amber_large", layers=24, dim=1024, heads=16, max_positions=512)
# Multilingual BERT, the shape of the AMBER paper (arXiv 2010.07972, section 2): BERT base
# (arXiv 1810.04805) with its two segments.
_architecture(
    "amber_mbert",
    layers=12,
    dim=768,
    heads=12,
    max_positions=512,
    token_types=2,
    layer_norm_eps=1e-12,
)
