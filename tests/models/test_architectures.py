"""The registered architectures have the published shapes, which flags override."""

import argparse

import pytest
from fairseq.dataclass.initialize import add_defaults
from fairseq.models import ARCH_CONFIG_REGISTRY
from omegaconf import OmegaConf

from fairseq_amber.models.architectures import preset
from fairseq_amber.models.shapes import SHAPES


def test_architectures():
    shapes = {
        "amber_tiny": (2, 128, 512, 4),
        "amber_small": (6, 384, 1536, 12),
        "amber_base": (12, 768, 3072, 12),
        "amber_large": (24, 1024, 4096, 16),
        "amber_mbert": (12, 768, 3072, 12),
    }
    for name, shape in shapes.items():
        args = argparse.Namespace()
        ARCH_CONFIG_REGISTRY[name](args)
        fields = ("layers", "embed_dim", "ffn_embed_dim", "attention_heads")
        assert tuple(getattr(args, f"encoder_{f}") for f in fields) == shape
    args = argparse.Namespace(encoder_layers=3)
    ARCH_CONFIG_REGISTRY["amber_mbert"](args)
    assert (args.encoder_layers, args.token_types, args.layer_norm_eps) == (3, 2, 1e-12)


def test_amber_alone_has_the_shape_of_amber_base():
    cfg = OmegaConf.create({"model": "amber"})
    add_defaults(cfg)
    args = argparse.Namespace()
    ARCH_CONFIG_REGISTRY["amber"](args)
    assert preset("amber") == preset("amber_base") == {**cfg.model, "_name": None}
    assert preset("amber_mbert")["token_types"] == 2


@pytest.mark.parametrize("name", SHAPES)
def test_a_configuration_of_hydra_gets_the_shape_of_its_architecture(name):
    cfg = OmegaConf.create({"model": {"_name": name, "encoder_layers": 3}})
    add_defaults(cfg)
    told = {**SHAPES[name], "encoder_layers": 3, "_name": name}
    assert {key: cfg.model[key] for key in told} == told
    assert cfg.model.attention_dropout == 0.1


def test_an_architecture_named_alone_is_a_configuration_of_hydra():
    cfg = OmegaConf.create({"model": "amber_large"})
    add_defaults(cfg)
    assert cfg.model.encoder_layers == 24
