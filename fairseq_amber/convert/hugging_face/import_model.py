"""Reads a Hugging Face folder of BERT or XLM-R: config.json, weights and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, NamedTuple

import torch
from torch import Tensor

from fairseq_amber.convert.hugging_face.import_vocabulary import read_vocabulary
from fairseq_amber.convert.hugging_face.parameter_names import (
    OUTPUT_BIASES,
    PREFIXES,
    completed_name,
    hugging_face_name,
)
from fairseq_amber.convert.hugging_face.weight_files import read_weights
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
from fairseq_amber.convert.source import CONFIG_NAME
from fairseq_amber.convert.vocabulary import Vocabulary, check_expected, shorten
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_json
from fairseq_amber.tokenizers.dictionary import fingerprint


class Imported(NamedTuple):
    """A model that was read from a Hugging Face folder.

    Attributes:
        model: the model.
        left_out: names of parameters in the files that the model ``amber`` does not have.
        new_head: whether the files have no language model head, so that the model has a random
            one.
        notes: what the user should know about the vocabulary.
    """

    model: Pretrained
    left_out: list[str]
    new_head: bool
    notes: list[str]


def read_hugging_face(folder: Path, expected: Vocabulary | None = None) -> Imported:
    """Reads a model of type ``bert`` or ``xlm-roberta``, with the tokenizer of either.

    If there is a single token type, its embedding is added to the position embeddings, which gives
    the same states; several token types are kept. The pooler is left out, and so are
    heads for other tasks than masked language modelling. BERT counts positions from the first row
    of its table, XLM-R from the row after that of padding.

    Args:
        folder: the folder.
        expected: the vocabulary that the model has to have; by default any.

    Raises:
        UserError: a file is missing, damaged or belongs to another model, or the model has a
            setting that the model ``amber`` does not support.
    """
    config = _read_config(folder)
    model_type = _check_kind(config, folder / CONFIG_NAME)
    weights = {completed_name(n, model_type): v for n, v in read_weights(folder).items()}
    shape, rows = _shape(config, model_type, folder / CONFIG_NAME)
    name = hugging_face_name(EMBEDDING, model_type)
    if name not in weights:
        raise UserError(
            f"the weights in {folder} have no {name}: they are not those of a {model_type} model"
        )
    if len(weights[name]) != rows:
        raise UserError(
            f"{folder / CONFIG_NAME} says vocab_size {rows} but the embedding of the weights has "
            f"{len(weights[name])} rows; its files do not belong together"
        )
    vocabulary, order, notes = read_vocabulary(folder, rows)
    if expected is not None:
        check_expected(expected, fingerprint(vocabulary), rows, folder)
    used, parameters = _renamed(weights, empty_parameters(shape, rows), model_type)
    left_out = [name for name in weights if name not in used]
    stray = [n for n in left_out if _is_encoder(n, model_type)]
    if stray:
        raise UserError(
            f"{folder} has parameters that this model has no place for: {shorten(stray)}"
        )

    index = torch.tensor(order)
    for name in (EMBEDDING, OUTPUT_WEIGHT, OUTPUT_BIAS):
        if name in parameters:
            parameters[name] = parameters[name].float()[index]
    if POSITIONS in parameters:
        first = PAD + 1 if model_type == "bert" else PAD - int(config["pad_token_id"])
        parameters[POSITIONS] = _shifted(parameters[POSITIONS].float(), first)
    types = parameters.get(TOKEN_TYPES)
    if types is not None and not shape.token_types:
        parameters[POSITIONS] = parameters[POSITIONS] + parameters.pop(TOKEN_TYPES).float()[0]
    is_new = not any(name.startswith(HEAD) for name in parameters)
    if is_new:
        parameters.update(new_head(shape.encoder_embed_dim, parameters[EMBEDDING]))
    model = Pretrained(shape, parameters, vocabulary, str(folder)).checked()
    return Imported(model, left_out, is_new, notes)


def read_own_vocabulary(folder: Path) -> Vocabulary | None:
    """Reads the vocabulary of a model, and not its weights.

    Returns:
        The vocabulary, which has a symbol for each row of the embedding; None if the model is of
        another type than those of ``read_hugging_face``.

    Raises:
        UserError: a file is missing or damaged.
    """
    config = _read_config(folder)
    if config.get("model_type") not in PREFIXES:
        return None
    rows = config.get("vocab_size")
    if type(rows) is not int:
        raise UserError(f"{folder / CONFIG_NAME}: vocab_size is {rows!r}; fetch it again")
    return read_vocabulary(folder, rows).vocabulary


def _read_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG_NAME)
    if config is None:
        raise UserError(f"{folder / CONFIG_NAME} is missing; fetch the whole folder")
    return config


def _check_kind(config: dict[str, Any], path: Path) -> str:
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in PREFIXES:
        raise UserError(
            f"{path} describes a model of the type {model_type}; {' and '.join(PREFIXES)} can be "
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
    """Returns the shape, and the number of rows of the embedding."""
    try:
        positions = config["max_position_embeddings"]
        if model_type == "xlm-roberta":
            pad = config.setdefault("pad_token_id", PAD)
            if type(pad) is not int or pad < 0:
                raise UserError(
                    f"{path}: pad_token_id is {pad!r}, which no row has; fetch it again"
                )
            positions -= pad + 1
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
        return shape.checked(str(path)), int(config["vocab_size"])
    except KeyError as error:
        raise UserError(f"{path} has no {error.args[0]}; fetch it again") from None
    except (OverflowError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} has a setting of the wrong type ({error}); fetch it again"
        ) from None


def _renamed(
    weights: dict[str, Tensor], names: Iterable[str], model_type: str
) -> tuple[set[str], dict[str, Tensor]]:
    """Renames weights of Hugging Face.

    Args:
        weights: the weights under the names of Hugging Face.
        names: our names of the parameters that the model has.
        model_type: the ``model_type`` of Hugging Face.

    Returns:
        The Hugging Face names for which this package has a name, and the weights under our names.
    """
    renamed = {name: hugging_face_name(name, model_type) for name in (*names, TOKEN_TYPES)}
    second_bias_name = OUTPUT_BIASES[model_type]
    if renamed[OUTPUT_BIAS] not in weights and second_bias_name in weights:
        weights[renamed[OUTPUT_BIAS]] = weights[second_bias_name]
    if OUTPUT_WEIGHT in renamed and renamed[OUTPUT_BIAS] not in weights:
        weights.pop(renamed[OUTPUT_WEIGHT], None)  # a tied copy of the embedding is not a head
    found = {name: weights[other] for name, other in renamed.items() if other in weights}
    return {*renamed.values(), second_bias_name}, found


def _is_encoder(name: str, model_type: str) -> bool:
    prefix = PREFIXES[model_type]
    harmless = name.endswith(("position_ids", "token_type_ids"))
    return name.startswith((f"{prefix}embeddings.", f"{prefix}encoder.")) and not harmless


def _shifted(table: Tensor, row_offset: int) -> Tensor:
    """Adds rows of zeros at the top of a table, or removes rows if ``row_offset`` is negative."""
    if row_offset < 0:
        return table[-row_offset:]
    return torch.cat([table.new_zeros(row_offset, table.size(1)), table])
