"""The shapes of the architectures ``amber_*``, in the names of the flags of ``fairseq-train``."""

from __future__ import annotations

from typing import Any, Mapping

from fairseq_amber.errors import UserError


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


# What a model's weights fix. Dropout is not among it.
SHAPE_SETTINGS = (
    "encoder_layers",
    "encoder_embed_dim",
    "encoder_ffn_embed_dim",
    "encoder_attention_heads",
    "max_positions",
    "token_types",
    "layer_norm_eps",
)


def take_shape(cfg: Any, shape: Mapping[str, Any], preset: Mapping[str, Any], source: str) -> None:
    """Gives the settings of an encoder the shape of a pretrained one.

    Args:
        cfg: the settings, ``AmberConfig``, which are changed.
        shape: the ``SHAPE_SETTINGS`` of the pretrained encoder.
        preset: those of the architecture, which stand where the user gave nothing else.
        source: the name of the pretrained encoder, for the error.

    Raises:
        UserError: the user gave another value than either has.
    """
    given = {name: getattr(cfg, name) for name in SHAPE_SETTINGS}
    wrong = [name for name, v in given.items() if v not in (shape[name], preset[name])]
    if wrong:
        flags = ", ".join(f"{_flag(name)} {given[name]}" for name in wrong)
        there = ", ".join(str(shape[name]) for name in wrong)
        raise UserError(f"{flags}: {source} has {there} there; its shape needs no flags, drop them")
    for name in SHAPE_SETTINGS:
        setattr(cfg, name, shape[name])


def check_shape(cfg: Any) -> None:
    """Checks the settings of an encoder, ``AmberConfig``.

    Raises:
        UserError: a number is out of its range, or the heads do not share the dimension out evenly.
    """
    sizes = ("layers", "embed_dim", "ffn_embed_dim", "attention_heads")
    least = {**{f"encoder_{size}": 1 for size in sizes}, "max_positions": 1, "token_types": 0}
    for name, bound in least.items():
        if getattr(cfg, name) < bound:
            raise UserError(f"{_flag(name)} {getattr(cfg, name)} is not {bound} or more")
    for name in ("dropout", "attention_dropout", "activation_dropout"):
        if not 0 <= getattr(cfg, name) < 1:
            raise UserError(f"{_flag(name)} {getattr(cfg, name)} is not from 0 to below 1")
    if not 0 < cfg.layer_norm_eps < float("inf"):
        raise UserError(f"--layer-norm-eps {cfg.layer_norm_eps} is not a number above 0")
    if cfg.encoder_embed_dim % cfg.encoder_attention_heads:
        raise UserError(
            f"--encoder-embed-dim {cfg.encoder_embed_dim} is not a multiple of "
            f"--encoder-attention-heads {cfg.encoder_attention_heads}"
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
