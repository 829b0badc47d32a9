"""Writes a Hugging Face folder of BERT or XLM-R, also for sentence-transformers."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import Tensor

from fairseq_amber.convert.hugging_face.export_head import export_head
from fairseq_amber.convert.hugging_face.export_tokenizer import tokenizer_files
from fairseq_amber.convert.hugging_face.parameter_names import hugging_face_name
from fairseq_amber.convert.hugging_face.weight_files import SAFETENSORS_NAME, import_safetensors
from fairseq_amber.convert.output_folder import OutputFolder
from fairseq_amber.convert.pretrained import (
    EMBEDDING,
    OUTPUT_BIAS,
    OUTPUT_WEIGHT,
    PAD,
    POSITIONS,
    TOKEN_TYPES,
    Head,
    Pretrained,
)
from fairseq_amber.convert.source import CONFIG_NAME
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import encode_json

_ARCHITECTURES = {"bert": "BertForMaskedLM", "xlm-roberta": "XLMRobertaForMaskedLM"}


def write_hugging_face(model: Pretrained, folder: OutputFolder, head: Head | None = None) -> str:
    """Writes config.json, model.safetensors and the tokenizer.

    The ``model_type`` is ``xlm-roberta`` with a SentencePiece vocabulary and ``bert`` with a
    WordPiece vocabulary.

    Args:
        model: the model.
        folder: the folder to write to.
        head: the head of a fine-tuned model.

    Returns:
        The class of transformers that has all weights.

    Raises:
        UserError: the tokenizer cannot be expressed there, a package is missing, or the folder
            cannot be written to.
    """
    safetensors = import_safetensors()
    shape = model.shape
    model_type = "bert" if model.vocabulary.wordpiece else "xlm-roberta"
    files, order, special = tokenizer_files(model.vocabulary, shape.max_positions)
    index = torch.tensor(order)
    tables: dict[str, Callable[[Tensor], Tensor]] = {
        EMBEDDING: lambda table: table[index],
        OUTPUT_BIAS: lambda table: table[index],
    }
    if model_type == "bert":
        tables[POSITIONS] = lambda table: table[PAD + 1 :]
    weights = {
        hugging_face_name(name, model_type): tables.get(name, Tensor.contiguous)(value).contiguous()
        for name, value in model.weights.items()
        if name != OUTPUT_WEIGHT  # tied
    }
    types = shape.token_types
    if not types:
        # BERT's tokenizer has two token types; their embeddings are zeros, which change no state
        types = 2 if model_type == "bert" else 1
        zeros = torch.zeros(types, shape.encoder_embed_dim)
        weights[hugging_face_name(TOKEN_TYPES, model_type)] = zeros
    architecture = _ARCHITECTURES[model_type]
    head_config: dict[str, Any] = {}
    if head is not None:
        architecture, head_weights, head_config = export_head(head, model_type)
        weights.update(head_weights)
    config = {
        "architectures": [architecture],
        "model_type": model_type,
        "vocab_size": len(order),
        "hidden_size": shape.encoder_embed_dim,
        "num_hidden_layers": shape.encoder_layers,
        "num_attention_heads": shape.encoder_attention_heads,
        "intermediate_size": shape.encoder_ffn_embed_dim,
        "hidden_act": "gelu",
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.attention_dropout,
        "max_position_embeddings": len(weights[hugging_face_name(POSITIONS, model_type)]),
        "position_embedding_type": "absolute",
        "type_vocab_size": types,
        "layer_norm_eps": shape.layer_norm_eps,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        **special,
        **head_config,
    }
    folder.put(CONFIG_NAME, encode_json(config))
    for name, data in files.items():
        folder.put(name, data)
    path = folder.working / SAFETENSORS_NAME
    try:
        safetensors.save_file(weights, str(path), metadata={"format": "pt"})
    except Exception as error:  # safetensors has an exception of its own, for a full disk too
        raise UserError(f"cannot write {folder.path}: {error}") from None
    return architecture
