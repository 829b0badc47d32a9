"""The shapes of the architectures, as fairseq registers them."""

import pytest
from fairseq.models import ARCH_MODEL_REGISTRY

from fairseq_amber.errors import UserError
from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.models.shapes import SHAPES, check_shape


def test_each_shape_is_an_architecture_of_the_model():
    registered = {name for name, model in ARCH_MODEL_REGISTRY.items() if model is AmberModel}
    assert registered - {"amber"} == SHAPES.keys()


def test_each_shape_is_made_of_settings_of_the_model_and_its_heads_share_the_dimension():
    for shape in SHAPES.values():
        config = AmberConfig(**shape)
        assert config.encoder_embed_dim % config.encoder_attention_heads == 0
        check_shape(config)


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
