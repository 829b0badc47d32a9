"""The shapes of the architectures, as fairseq registers them."""

from fairseq.models import ARCH_MODEL_REGISTRY

from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.models.shapes import SHAPES


def test_each_shape_is_an_architecture_of_the_model():
    registered = {name for name, model in ARCH_MODEL_REGISTRY.items() if model is AmberModel}
    assert registered - {"amber"} == SHAPES.keys()


def test_each_shape_is_made_of_settings_of_the_model_and_its_heads_share_the_dimension():
    for shape in SHAPES.values():
        config = AmberConfig(**shape)
        assert config.encoder_embed_dim % config.encoder_attention_heads == 0
