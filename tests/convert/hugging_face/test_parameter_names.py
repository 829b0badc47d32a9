"""Every parameter has the name that transformers gives it."""

import pytest

from fairseq_amber.convert.hugging_face.parameter_names import completed_name, hugging_face_name
from fairseq_amber.convert.pretrained import Shape, empty_parameters

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

SHAPE = Shape(2, 16, 40, 4, 64, token_types=2)


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
def test_names_are_those_of_transformers(model_type):
    config = transformers.AutoConfig.for_model(
        model_type,
        vocab_size=11,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=40,
    )
    theirs = transformers.AutoModelForMaskedLM.from_config(config).state_dict()
    ours = empty_parameters(SHAPE, 11)
    names = {hugging_face_name(name, model_type) for name in ours}
    assert len(names) == len(ours) and names <= set(theirs)
    others = {name for name in set(theirs) - names if not name.endswith(("_ids", "decoder.bias"))}
    assert not others


def test_prefixes_and_the_oldest_names_are_completed():
    assert completed_name("encoder.layer.0.x.weight", "bert") == "bert.encoder.layer.0.x.weight"
    assert completed_name("embeddings.LayerNorm.gamma", "xlm-roberta") == (
        "roberta.embeddings.LayerNorm.weight"
    )
    assert completed_name("cls.predictions.bias", "bert") == "cls.predictions.bias"
