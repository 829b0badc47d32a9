"""The names of our parameters in Hugging Face's BERT and XLM-R."""

from __future__ import annotations

import re

_ENCODER = {
    "embed_tokens": "embeddings.word_embeddings",
    "embed_positions": "embeddings.position_embeddings",
    "embed_segments": "embeddings.token_type_embeddings",
    "layernorm_embedding": "embeddings.LayerNorm",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.output.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "output.LayerNorm",
}
# The names of the parameters of the language model head in each ``model_type``.
_HEADS = {
    "bert": {
        "dense": "cls.predictions.transform.dense",
        "layer_norm": "cls.predictions.transform.LayerNorm",
        "weight": "cls.predictions.decoder.weight",
        "bias": "cls.predictions.bias",
    },
    "xlm-roberta": {
        "dense": "lm_head.dense",
        "layer_norm": "lm_head.layer_norm",
        "weight": "lm_head.decoder.weight",
        "bias": "lm_head.bias",
    },
}
PREFIXES = {"bert": "bert.", "xlm-roberta": "roberta."}
OUTPUT_BIASES = {
    "bert": "cls.predictions.decoder.bias",
    "xlm-roberta": "lm_head.decoder.bias",
}  # a second name for the bias of the head

_OUR_ENCODER = re.compile(r"encoder\.sentence_encoder\.(layers\.\d+\.)?(.+)\.(weight|bias)")
_OUR_HEAD = re.compile(r"encoder\.lm_head\.(\w+)(\.weight|\.bias)?")


def hugging_face_name(name: str, model_type: str) -> str:
    """Returns the name that a ``model_type`` of Hugging Face has for a parameter of ours."""
    inside = _OUR_ENCODER.fullmatch(name)
    if inside:
        layer, part, kind = inside.groups()
        number = f"encoder.layer.{layer.split('.')[1]}." if layer else ""
        return f"{PREFIXES[model_type]}{number}{_ENCODER[part]}.{kind}"
    head = _OUR_HEAD.fullmatch(name)
    assert head, name
    return _HEADS[model_type][head[1]] + (head[2] or "")


def completed_name(name: str, model_type: str) -> str:
    """Returns a name in a file as ``hugging_face_name`` spells it.

    Models without a head leave out the prefix, and the oldest files have TensorFlow's names for
    the parameters of layer norms.
    """
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
    if name.startswith(("embeddings.", "encoder.", "pooler.")):
        return PREFIXES[model_type] + name
    return name
