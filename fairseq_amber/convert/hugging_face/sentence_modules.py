"""What sentence-transformers does after the encoder: pooling, dense layers, normalisation.

A checkpoint of this package has no place for it. It is kept beside the checkpoint, in a folder of
its own, and is written again on the way back to Hugging Face.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from fairseq_amber.convert.hugging_face.sentence_prompts import (
    PROMPTS_NAME,
    prompt_notes,
    with_default_prompt,
)
from fairseq_amber.convert.hugging_face.weight_files import encode_safetensors, read_weights
from fairseq_amber.convert.pretrained import Shape
from fairseq_amber.convert.source import CONFIG_NAME
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import encode_json, parse_json, read_bytes, read_json
from fairseq_amber.files.names import check_relative

POOLINGS = ("mean", "cls")
KEPT_FOLDER = "sentence-transformers"
_LIST = "modules.json"
_SENTENCES = "sentence_bert_config.json"
# How embed and retrieve are told of a pooling.
_FLAGS = {"mean": "", "cls": "; give them --pooling cls"}


class SentenceModules(NamedTuple):
    """The modules after the encoder.

    Attributes:
        files: their files by name; empty if there are none.
        notes: what the user should know: what embed and retrieve do not do.
    """

    files: dict[str, bytes]
    notes: list[str]


def read_sentence_modules(folder: Path, encoder: Path | None = None) -> SentenceModules:
    """Reads the modules of a folder of sentence-transformers.

    Args:
        folder: the folder with modules.json; without one there are no modules.
        encoder: the folder with the encoder; by default the same.

    Raises:
        UserError: a file is missing or damaged, or a path leads out of the folder.
    """
    path = folder / _LIST
    if not path.is_file():
        return SentenceModules({}, [])
    modules = _listed(path)
    foreign = [kind for kind, _ in modules if not kind.startswith("sentence_transformers.")]
    if foreign:
        note = f"left out: {path} names {foreign[0]!r}, which is code of its own"
        return SentenceModules({}, [note])
    files: dict[str, bytes] = {}
    entries, steps = [], []
    prompt_pooled = True
    for number, (kind, place) in enumerate(modules):
        name = kind.rpartition(".")[2]
        if number == 0:
            place = ""  # the encoder stands beside modules.json, as this package writes it
        else:
            config = _put_module(folder / place, place, files)
            prompt_pooled &= config.get("include_prompt", True) is not False
            steps.append(f"{_pooling(config)} pooling" if name == "Pooling" else name)
        entries.append({"idx": number, "name": str(number), "path": place, "type": kind})
    files[_LIST] = encode_json(entries)
    notes = []
    if steps != ["mean pooling"]:
        pooling = _pooling_of(steps)
        notes.append(
            f"left out: after the encoder, sentence-transformers has {', '.join(steps)} there; it "
            "is kept for the way back to Hugging Face, but embed and retrieve give vectors of the "
            "encoder alone" + _FLAGS.get(pooling, "; they have no such pooling")
        )
    for name, beside in ((_SENTENCES, encoder or folder), (PROMPTS_NAME, folder)):
        content = read_json(beside / name)
        if content is not None:
            files[name] = encode_json(content)
            if content.get("do_lower_case"):
                notes.append("left out: sentence-transformers makes the text lower case first")
            if name == PROMPTS_NAME:
                notes += prompt_notes(content, pooled=prompt_pooled)
    return SentenceModules(files, notes)


def chosen_modules(
    kept: dict[str, bytes], shape: Shape, pooling: str | None, prefix: str | None
) -> dict[str, bytes]:
    """Returns the files of the modules that the flags of ``convert`` ask for.

    Args:
        kept: the files that the source had.
        shape: the shape of the model.
        pooling: the pooling that takes the place of all modules; None keeps them.
        prefix: the prompt that sentence-transformers then adds by default; None keeps what it adds.
    """
    modules = kept
    if pooling is not None or (prefix is not None and not kept):
        prompts = {name: data for name, data in kept.items() if name == PROMPTS_NAME}
        modules = {**pooling_modules(shape, pooling or "mean"), **prompts}
    return modules if prefix is None else with_default_prompt(modules, prefix)


def pooling_modules(shape: Shape, pooling: str) -> dict[str, bytes]:
    """Returns the files that let sentence-transformers pool the last layer.

    It then pools as ``fairseq-amber retrieve --pooling`` does.

    Args:
        shape: the shape of the model.
        pooling: ``mean``, over all tokens with ``<s>`` and ``</s>``, or ``cls``, the state of
            ``<s>``.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling {pooling!r} is not one of {', '.join(POOLINGS)}")
    parts = ("Transformer", ""), ("Pooling", "1_Pooling")
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, (kind, path) in enumerate(parts)
    ]
    config = {
        "word_embedding_dimension": shape.encoder_embed_dim,
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    lengths = {"max_seq_length": shape.max_positions, "do_lower_case": False}
    return {
        _LIST: encode_json(modules),
        _SENTENCES: encode_json(lengths),
        f"1_Pooling/{CONFIG_NAME}": encode_json(config),
    }


def _listed(path: Path) -> list[tuple[str, str]]:
    """Returns the type and the path of each module."""
    message = f"{path} is damaged: it is not a list of modules; fetch it again"
    data = b'{"modules": %s}' % read_bytes(path)
    modules: Any = parse_json(data, message)["modules"]
    if not isinstance(modules, list) or not modules:
        raise UserError(message)
    found = []
    for number, module in enumerate(modules):
        if not isinstance(module, dict) or not isinstance(module.get("type"), str):
            raise UserError(message)
        place = ""
        if number or module.get("path"):
            place = check_relative(module.get("path"), "path", path)
        found.append((module["type"], place))
    return found


def _put_module(folder: Path, place: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Adds the files of a module, and returns its configuration. Some modules have no files."""
    config = read_json(folder / CONFIG_NAME)
    if config is not None:
        files[f"{place}/{CONFIG_NAME}"] = encode_json(config)
    if any((folder / name).exists() for name in ("model.safetensors", "pytorch_model.bin")):
        files[f"{place}/model.safetensors"] = encode_safetensors(read_weights(folder))
    return config or {}


def _pooling(config: dict[str, Any]) -> str:
    """Names a pooling, by either of the ways in which versions write it."""
    named = config.get("pooling_mode")
    if named is not None:
        return named if isinstance(named, str) else json.dumps(named)
    prefix = "pooling_mode_"
    modes = [key[len(prefix) :] for key, on in config.items() if key.startswith(prefix) and on]
    short = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    return "+".join(short.get(mode, mode) for mode in modes) or "mean"


def _pooling_of(steps: list[str]) -> str:
    return next((s[: -len(" pooling")] for s in steps if s.endswith(" pooling")), "")
