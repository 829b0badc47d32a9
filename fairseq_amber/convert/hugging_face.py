"""Folders of Hugging Face's BERT and XLM-R: config.json, weights, tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

import torch
from torch import Tensor

from fairseq_amber.convert.folder import OutputFolder
from fairseq_amber.convert.hugging_face_tokenizer import tokenizer_files
from fairseq_amber.convert.hugging_face_vocabulary import read_vocabulary
from fairseq_amber.convert.parameter_names import OUTPUT_BIASES, PREFIXES, theirs, tidy
from fairseq_amber.convert.pretrained import (
    EMBEDDING,
    HEAD,
    OUTPUT_BIAS,
    OUTPUT_WEIGHT,
    PAD,
    POSITIONS,
    TOKEN_TYPES,
    Pretrained,
    Shape,
    empty_parameters,
    new_head,
)
from fairseq_amber.convert.vocabulary import shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import json_file, read_json
from fairseq_amber.files.torch_file import read_torch_file

CONFIG_NAME = "config.json"
SAFETENSORS_NAME = "model.safetensors"
WEIGHT_NAMES = (SAFETENSORS_NAME, "pytorch_model.bin")
_ARCHITECTURES = {"bert": "BertForMaskedLM", "xlm-roberta": "XLMRobertaForMaskedLM"}


class Imported(NamedTuple):
    """A model, what of its files has no place in it, and whether its language model head is new."""

    model: Pretrained
    left_out: list[str]
    new_head: bool


def read_hugging_face(folder: Path) -> Imported:
    """A model of the types ``bert`` and ``xlm-roberta``, with the tokenizer of either.

    Token types: a single one is added to the positions, which states do not tell apart; several
    stay. Left out: the pooler, and heads for other tasks than masked language modelling. BERT
    counts positions from the table's first row, XLM-R from the one after padding's.

    Raises:
        UserError: a file is missing, damaged or belongs to another model, or the model is of a
            kind that the model ``amber`` cannot be.
    """
    config = read_json(folder / CONFIG_NAME)
    if config is None:
        raise UserError(f"{folder / CONFIG_NAME} is missing; fetch the whole folder")
    model_type = _check_kind(config, folder / CONFIG_NAME)
    weights = {tidy(name, model_type): v for name, v in _read_weights(folder).items()}
    shape, rows = _shape(config, model_type, folder / CONFIG_NAME)
    name = theirs(EMBEDDING, model_type)
    if name not in weights:
        raise UserError(f"the weights in {folder} have no {name}: they are of no {model_type}")
    if len(weights[name]) != rows:
        raise UserError(
            f"{folder / CONFIG_NAME} says vocab_size {rows} but the embedding of the weights has "
            f"{len(weights[name])} rows; its files do not belong together"
        )
    vocabulary, order = read_vocabulary(folder, rows)
    used, ours = _renamed(weights, empty_parameters(shape, rows), model_type)
    left_out = [name for name in weights if name not in used]
    stray = [n for n in left_out if _is_encoder(n, model_type)]
    if stray:
        raise UserError(
            f"{folder} has parameters that this model has no place for: {shorten(stray)}"
        )

    index = torch.tensor(order)
    for name in (EMBEDDING, OUTPUT_WEIGHT, OUTPUT_BIAS):
        if name in ours:
            ours[name] = ours[name].float()[index]
    if POSITIONS in ours:
        first = PAD + 1 if model_type == "bert" else PAD - int(config["pad_token_id"])
        ours[POSITIONS] = _shifted(ours[POSITIONS].float(), first)
    types = ours.get(TOKEN_TYPES)
    if types is not None and not shape.token_types:
        ours[POSITIONS] = ours[POSITIONS] + ours.pop(TOKEN_TYPES).float()[0]
    is_new = not any(name.startswith(HEAD) for name in ours)
    if is_new:
        ours.update(new_head(shape.encoder_embed_dim, ours[EMBEDDING]))
    return Imported(Pretrained(shape, ours, vocabulary, str(folder)).checked(), left_out, is_new)


def _check_kind(config: dict[str, Any], path: Path) -> str:
    model_type = config.get("model_type")
    if model_type not in PREFIXES:
        raise UserError(
            f"{path} is of a model of the type {model_type}; {' and '.join(PREFIXES)} can be "
            "converted"
        )
    for setting, wanted in (
        ("hidden_act", "gelu"),
        ("position_embedding_type", "absolute"),
        ("is_decoder", False),
        ("add_cross_attention", False),
    ):
        given = config.get(setting, wanted)
        if given != wanted:
            raise UserError(f"{path}: {setting} is {given}, where this model has {wanted}")
    return model_type


def _shape(config: dict[str, Any], model_type: str, path: Path) -> tuple[Shape, int]:
    """The shape, and the rows of the embedding."""
    try:
        positions = config["max_position_embeddings"]
        if model_type == "xlm-roberta":
            config.setdefault("pad_token_id", PAD)
            positions -= config["pad_token_id"] + 1
        types = config.get("type_vocab_size", 2)
        shape = Shape(
            encoder_layers=int(config["num_hidden_layers"]),
            encoder_embed_dim=int(config["hidden_size"]),
            encoder_ffn_embed_dim=int(config["intermediate_size"]),
            encoder_attention_heads=int(config["num_attention_heads"]),
            max_positions=int(positions),
            token_types=0 if types == 1 else int(types),
            layer_norm_eps=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(config.get("hidden_dropout_prob", 0.1)),
            attention_dropout=float(config.get("attention_probs_dropout_prob", 0.1)),
        )
        return shape, int(config["vocab_size"])
    except KeyError as error:
        raise UserError(f"{path} has no {error.args[0]}; fetch it again") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} has a setting of another kind ({error}); fetch it again") from None


def _renamed(
    weights: dict[str, Tensor], parameters: Iterable[str], model_type: str
) -> tuple[set[str], dict[str, Tensor]]:
    """The names that were used, and the parameters under ours."""
    names = {name: theirs(name, model_type) for name in parameters}
    names[TOKEN_TYPES] = theirs(TOKEN_TYPES, model_type)
    second = OUTPUT_BIASES[model_type]
    if names[OUTPUT_BIAS] not in weights and second in weights:
        weights[names[OUTPUT_BIAS]] = weights[second]
    if OUTPUT_WEIGHT in names and names[OUTPUT_BIAS] not in weights:
        weights.pop(names[OUTPUT_WEIGHT], None)  # a tied copy is no head
    ours = {name: weights[other] for name, other in names.items() if other in weights}
    return {*names.values(), second}, ours


def _is_encoder(name: str, model_type: str) -> bool:
    prefix = PREFIXES[model_type]
    harmless = name.endswith(("position_ids", "token_type_ids"))
    return name.startswith((f"{prefix}embeddings.", f"{prefix}encoder.")) and not harmless


def _shifted(table: Tensor, by: int) -> Tensor:
    """The table with so many rows of zeros more, or fewer rows, at its top."""
    if by < 0:
        return table[-by:]
    return torch.cat([table.new_zeros(by, table.size(1)), table])


def _read_weights(folder: Path) -> dict[str, Tensor]:
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return _read_weight_file(folder / name)
        index = read_json(folder / f"{name}.index.json")
        if index is not None:
            weights: dict[str, Tensor] = {}
            for part in sorted(set(index.get("weight_map", {}).values())):
                weights.update(_read_weight_file(folder / part))
            return weights
    raise UserError(f"{folder} has no weights: neither {' nor '.join(WEIGHT_NAMES)}")


def _read_weight_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        weights = read_torch_file(path)
        if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
            raise UserError(f"{path} holds other things than weights by name")
        return dict(weights)
    safetensors = import_safetensors()
    try:
        return safetensors.load_file(str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:
        raise UserError(
            f"{path} is no whole safetensors file ({str(error).splitlines()[0]}); fetch it again"
        ) from None


def write_hugging_face(model: Pretrained, folder: OutputFolder) -> str:
    """Writes config.json, model.safetensors and the tokenizer; returns the ``model_type``:
    ``xlm-roberta`` with a SentencePiece vocabulary, ``bert`` with a WordPiece one.

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
        theirs(name, model_type): tables.get(name, Tensor.contiguous)(value).contiguous()
        for name, value in model.weights.items()
        if name != OUTPUT_WEIGHT  # tied
    }
    types = shape.token_types
    if not types:  # BERT's tokenizer tells two sentences apart, which this model does not
        types = 2 if model_type == "bert" else 1
        zeros = torch.zeros(types, shape.encoder_embed_dim)
        weights[theirs(TOKEN_TYPES, model_type)] = zeros
    config = {
        "architectures": [_ARCHITECTURES[model_type]],
        "model_type": model_type,
        "vocab_size": len(order),
        "hidden_size": shape.encoder_embed_dim,
        "num_hidden_layers": shape.encoder_layers,
        "num_attention_heads": shape.encoder_attention_heads,
        "intermediate_size": shape.encoder_ffn_embed_dim,
        "hidden_act": "gelu",
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.attention_dropout,
        "max_position_embeddings": len(weights[theirs(POSITIONS, model_type)]),
        "position_embedding_type": "absolute",
        "type_vocab_size": types,
        "layer_norm_eps": shape.layer_norm_eps,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        **special,
    }
    folder.put(CONFIG_NAME, json_file(config))
    for name, data in files.items():
        folder.put(name, data)
    path = folder.working / SAFETENSORS_NAME
    try:
        safetensors.save_file(weights, str(path), metadata={"format": "pt"})
    except Exception as error:  # its own, for a full disk too
        raise UserError(f"cannot write {folder.path}: {error}") from None
    return model_type


def import_safetensors() -> Any:
    """The module ``safetensors.torch``.

    Raises:
        UserError: the package is missing.
    """
    try:
        import safetensors.torch
    except ImportError:
        raise UserError(
            "the package safetensors is missing; pip install 'fairseq_amber[convert]'"
        ) from None
    return safetensors.torch
