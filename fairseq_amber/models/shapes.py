"""The shapes of the architectures ``amber_*``, in the names of the flags of ``fairseq-train``."""

from __future__ import annotations

from typing import Any


def _shape(layers: int, dim: int, heads: int, **others: Any) -> dict[str, Any]:
    """Returns the flags of an architecture, whose feed-forward dimension is 4 times ``dim``."""
    return dict(
        encoder_layers=layers,
        encoder_embed_dim=dim,
        encoder_ffn_embed_dim=4 * dim,
        encoder_attention_heads=heads,
        **others,
    )


SHAPES = {
    # For tests and the quickstart.
    "amber_tiny": _shape(2, 128, 4, max_positions=128),
    # The shape of the 6-layer students of multilingual MiniLM (arXiv 2012.15828).
    "amber_small": _shape(6, 384, 12, max_positions=512),
    # XLM-R base and large (arXiv 1911.02116).
    "amber_base": _shape(12, 768, 12, max_positions=512),
    "amber_large": _shape(24, 1024, 16, max_positions=512),
    # Multilingual BERT, which the AMBER paper uses (arXiv 2010.07972, section 2): BERT base
    # (arXiv 1810.04805) with its two token types.
    "amber_mbert": _shape(12, 768, 12, max_positions=512, token_types=2, layer_norm_eps=1e-12),
}
