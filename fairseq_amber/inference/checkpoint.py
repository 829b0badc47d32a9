"""Reads a checkpoint of fairseq-train or a pretrained model as it is, and builds its model in
evaluation mode."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fairseq_amber.environment import patch_stock_fairseq, require_fairseq
from fairseq_amber.errors import UserError
from fairseq_amber.files.torch_file import read_checkpoint, settings
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME

if TYPE_CHECKING:
    import torch

    from fairseq_amber.convert.pretrained import Pretrained
    from fairseq_amber.convert.vocabulary import Vocabulary


_EMBEDDING = "embed_tokens.weight"
_RIGHT_FOLDER = (
    "give the folder that it was trained on with --data; prepare the folder of a task with "
    "--tokenizer and that folder"
)


class LoadedModel(NamedTuple):
    """The contents of a checkpoint and of its data folder.

    Attributes:
        model: an ``AmberModel`` in evaluation mode.
        dictionary: fairseq's ``Dictionary``, with ``<mask>``.
        data: the data folder, or the folder of a pretrained model.
        config: what identifies the model, for the JSON of a result.
        task_settings: flags of the task that the model was trained on.
        task_state: the state that this task stored in the checkpoint; for a fine-tuned model its
            ``task``, ``kind`` and ``labels``.
        vocabulary: the vocabulary of a pretrained model; None where ``data`` holds it.
    """

    model: Any
    dictionary: Any
    data: Path
    config: dict[str, Any]
    task_settings: argparse.Namespace
    task_state: dict[str, Any]
    vocabulary: Vocabulary | None = None


def load_model(
    checkpoint: str | Path, *, data: str | Path | None = None, reinitialize: int | None = None
) -> LoadedModel:
    """Builds the model of a checkpoint on the CPU, in float32, with all heads that it has.

    A model of Hugging Face or of stock fairseq is converted in memory, without its heads; what is
    left out is warned of.

    Args:
        checkpoint: a file of fairseq-train, or another model that ``convert.reading.find_model``
            finds.
        data: folder with ``dict.txt`` and the tokenizer; by default the folder of a pretrained
            model, and else the folder that the checkpoint was trained on.
        reinitialize: a seed. The trained weights are replaced by new random ones, which gives the
            untrained baseline of the same architecture.

    Raises:
        UserError: fairseq is missing, there is no such model, or the dictionary is not the one
            that the model was trained with.
    """
    import_fairseq()
    from fairseq_amber.convert.reading import find_model
    from fairseq_amber.inference.pretrained import read_pretrained

    place = find_model(Path(checkpoint))
    state = read_checkpoint(place.path) if place.encoder is None else None
    if state is not None and _is_of_this_package(state):
        folder = place.path.parent
        if data is None and Path(checkpoint).is_dir() and (folder / DICTIONARY_NAME).is_file():
            data = folder
        return _trained(checkpoint, state, data, reinitialize)
    pretrained = read_pretrained(checkpoint, place, state, data)
    return _converted(checkpoint, pretrained, data, reinitialize)


def _is_of_this_package(state: dict[str, Any]) -> bool:
    from fairseq.models import ARCH_MODEL_REGISTRY

    # Both modules register names with fairseq; the architectures need the registered model.
    from fairseq_amber.models import amber, architectures  # noqa: F401

    architecture, _ = settings(state)
    return ARCH_MODEL_REGISTRY.get(_name(architecture)) is amber.AmberModel


def _trained(
    checkpoint: str | Path,
    state: dict[str, Any],
    data: str | Path | None,
    reinitialize: int | None,
) -> LoadedModel:
    """Builds the model of a checkpoint of this package."""
    from fairseq_amber.models.checkpoint_weights import heads_of
    from fairseq_amber.tokenizers.dictionary import check_rows, check_trained_with, load_dictionary

    architecture, task = settings(state)
    folder = _data_folder(checkpoint, data, getattr(task, "data", ""))
    dictionary = load_dictionary(folder)
    rows = next((len(v) for k, v in state["model"].items() if k.endswith(_EMBEDDING)), 0)
    task_state = state.get("task_state") or {}
    error_context: dict[str, Any] = {
        "path": folder / DICTIONARY_NAME,
        "checkpoint": checkpoint,
        "remedy": _RIGHT_FOLDER,
    }
    check_rows(rows, len(dictionary), **error_context)
    check_trained_with(dictionary, task_state.get("dictionary"), **error_context)
    model = _random(architecture, dictionary, heads_of(state["model"]), reinitialize)
    if reinitialize is None:
        try:
            model.load_state_dict(state["model"], strict=True)
        except SystemExit as ending:  # with which the model's hook ends fairseq-train
            fault = str(ending.code).partition(": error: ")[2].rpartition("; ")[0]
            fault = fault.replace("the checkpoint", str(checkpoint), 1)
            raise UserError(
                f"{fault}; it is damaged, or not as it was saved: fetch it again"
            ) from None
    config = _config(checkpoint, _name(architecture), _updates(state), reinitialize)
    return LoadedModel(model.eval(), dictionary, folder, config, task, task_state)


def _converted(
    checkpoint: str | Path,
    pretrained: Pretrained,
    data: str | Path | None,
    reinitialize: int | None,
) -> LoadedModel:
    """Builds a model that another program has trained. Its data folder is ``data``, else none."""
    from fairseq_amber.tokenizers.dictionary import dictionary_of

    dictionary = dictionary_of(pretrained.vocabulary.symbols)
    architecture = argparse.Namespace(**asdict(pretrained.shape))
    model = _random(architecture, dictionary, {}, reinitialize)
    if reinitialize is None:
        model.load_state_dict(dict(pretrained.weights), strict=True)
    config = _config(checkpoint, "amber", None, reinitialize)
    folder = Path(checkpoint if data is None else data)
    vocabulary = pretrained.vocabulary if data is None else None
    task = argparse.Namespace(data=str(folder))
    return LoadedModel(model.eval(), dictionary, folder, config, task, {}, vocabulary)


def _random(architecture: Any, dictionary: Any, heads: dict[str, int], seed: int | None) -> Any:
    """Returns a model with random weights."""
    import torch

    from fairseq_amber.models.amber import AmberModel

    torch.manual_seed(0 if seed is None else seed)
    task = argparse.Namespace(source_dictionary=dictionary)
    model = AmberModel.build_model(architecture, task)
    for head, outputs in heads.items():
        model.add_head(head, outputs)
    return model


def _config(
    checkpoint: str | Path, architecture: str, updates: int | None, seed: int | None
) -> dict[str, Any]:
    found = {"checkpoint": str(checkpoint), "architecture": architecture, "updates": updates}
    return found if seed is None else {**found, "updates": 0, "reinitialized_with_seed": seed}


def _name(architecture: Any) -> Any:
    return getattr(architecture, "_name", None) or getattr(architecture, "arch", None)


def find_device(name: str | None) -> torch.device:
    """Returns the device of this name; by default a GPU if there is one, else the CPU.

    Raises:
        UserError: the device cannot be used.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":  # it has shapes only
            raise RuntimeError("it holds no values")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used: {reason}") from None
    return device


def import_fairseq() -> None:
    """Imports fairseq without its log lines about parts that are not used here.

    Raises:
        UserError: fairseq is not installed, or cannot be imported.
    """
    logging.getLogger("fairseq").setLevel(logging.WARNING)
    require_fairseq()
    patch_stock_fairseq()


def _data_folder(checkpoint: str | Path, given: str | Path | None, trained_on: str) -> Path:
    folder = Path(given) if given else Path(trained_on.split(":")[0])
    if (folder / DICTIONARY_NAME).is_file():
        return folder
    if given:
        raise UserError(f"{folder / DICTIONARY_NAME} is missing; --data takes the data-bin folder")
    raise UserError(
        f"{checkpoint} was trained on {folder}, where there is no {DICTIONARY_NAME} now; give the "
        "data-bin folder with --data"
    )


def _updates(state: dict[str, Any]) -> int | None:
    history = state.get("optimizer_history") or [{}]
    return history[-1].get("num_updates")
