"""The shapes of the architectures, as fairseq registers them."""

from dataclasses import asdict

import pytest
from fairseq.models import ARCH_MODEL_REGISTRY

from fairseq_amber.errors import UserError
from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.models.shapes import SHAPE_SETTINGS, SHAPES, check_shape, take_shape


def test_each_shape_is_an_architecture_of_the_model():
    registered = {name for name, model in ARCH_MODEL_REGISTRY.items() if model is AmberModel}
    assert registered - {"amber"} == SHAPES.keys()


def test_each_shape_is_made_of_settings_of_the_model_and_its_heads_share_the_dimension():
    for shape in SHAPES.values():
        config = AmberConfig(**shape)
        assert config.encoder_embed_dim % config.encoder_attention_heads == 0
        check_shape(config)


def test_the_shape_of_another_encoder_takes_the_place_of_the_presets_alone():
    base, small = (asdict(AmberConfig(**SHAPES[name])) for name in ("amber_base", "amber_small"))
    for given in ({}, {"encoder_layers": 6}, {"layer_norm_eps": 1e-5, "dropout": 0.3}):
        cfg = AmberConfig(**given)
        take_shape(cfg, small, base, "model.pt")
        assert {name: getattr(cfg, name) for name in SHAPE_SETTINGS} == {
            name: small[name] for name in SHAPE_SETTINGS
        }
        assert cfg.dropout == given.get("dropout", 0.1)
    cfg = AmberConfig(encoder_layers=7, max_positions=100)
    message = "^--encoder-layers 7, --max-positions 100: model.pt has 6, 512 there"
    with pytest.raises(UserError, match=message):
        take_shape(cfg, small, base, "model.pt")
    assert cfg == AmberConfig(encoder_layers=7, max_positions=100)


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"encoder_layers": 0}, "--encoder-layers 0 is not 1 or more"),
        ({"encoder_attention_heads": 0}, "--encoder-attention-heads 0 is not 1 or more"),
        ({"encoder_ffn_embed_dim": -8}, "--encoder-ffn-embed-dim -8 is not 1 or more"),
        ({"max_positions": 0}, "--max-positions 0 is not 1 or more"),
        ({"token_types": -1}, "--token-types -1 is not 0 or more"),
        ({"dropout": 2.0}, "--dropout 2.0 is not from 0 to below 1"),
        ({"attention_dropout": float("nan")}, "--attention-dropout nan is not from 0 to below 1"),
        ({"activation_dropout": -0.1}, "--activation-dropout -0.1 is not from 0 to below 1"),
        ({"layer_norm_eps": 0.0}, "--layer-norm-eps 0.0 is not a number above 0"),
        (
            {"encoder_embed_dim": 100, "encoder_attention_heads": 3},
            "--encoder-embed-dim 100 is not a multiple of --encoder-attention-heads 3",
        ),
    ],
)
def test_shapes_that_no_encoder_has(setting, message, make_task):
    with pytest.raises(UserError, match=f"^{message}$"):
        AmberModel.build_model(AmberConfig(**setting), make_task())
