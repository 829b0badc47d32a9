"""The registered architectures have the published shapes, which flags override."""

import argparse

from fairseq.models import ARCH_CONFIG_REGISTRY


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
