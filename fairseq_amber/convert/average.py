"""``fairseq-amber average``: averages the weights of several checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable

from fairseq_amber.errors import UserError
from fairseq_amber.progress import Progress, heartbeat, ticking

if TYPE_CHECKING:
    from torch import Tensor

SUMMARY = "average the weights of checkpoints: the last ones of a run, or those of several seeds"
EXAMPLE = "fairseq-amber average runs/a/checkpoint_best.pt runs/b/checkpoint_best.pt --output ab.pt"
WRITES = ("output",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="+",
        metavar="CHECKPOINT",
        help="checkpoints of one architecture and dictionary; those of several seeds average well "
        "if they continue from the same pretrained model",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="OUT", help="new checkpoint to write"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the average of the checkpoints."""
    from fairseq_amber.files.torch_file import write_torch_file

    if args.output.exists():
        raise UserError(f"{args.output} exists; name another file, or remove it")
    state = average(args.checkpoints)
    with heartbeat(f"writing {args.output}"):
        write_torch_file(state, args.output)
    print(f"{args.output}: the mean of {len(args.checkpoints)} checkpoints")


def average(checkpoints: list[Path]) -> dict[str, Any]:
    """Averages checkpoints.

    Weights are summed in fp64, with one checkpoint in memory at a time, and get the precision of
    the first checkpoint.

    Returns:
        A checkpoint to evaluate or to fine-tune from, with the settings of the first one and
        without the state of the optimizer and of the criterion.

    Raises:
        UserError: there are fewer than two checkpoints, one cannot be read, or they differ in the
            names or shapes of their parameters, in the model's settings or in the dictionary, or a
            weight is NaN or infinite.
    """
    from fairseq_amber.files.torch_file import read_checkpoint

    if len(checkpoints) < 2:
        raise UserError("an average takes two checkpoints or more")
    progress = Progress(total=len(checkpoints), unit="checkpoints", what="averaging")
    with progress, ticking(progress):
        first = read_checkpoint(checkpoints[0])
        common = _common_properties(first)
        names = _names_of_tensors(first["model"])
        _check_finite(first, names, checkpoints[0])
        sums = {name: first["model"][name].double() for name in names}
        progress.update()
        for path in checkpoints[1:]:
            state = read_checkpoint(path)
            _check_same_model(common, _common_properties(state), checkpoints[0], path)
            _check_finite(state, names, path)
            for name in sums:
                sums[name] += state["model"][name]
            del state
            progress.update()
    count = len(checkpoints)
    for name, total in sums.items():
        mean = (total / count).to(first["model"][name].dtype)
        for other in names[name]:
            first["model"][other] = mean
    history = first.get("optimizer_history") or [{}]
    return {
        "args": first.get("args"),
        "cfg": first.get("cfg"),
        "model": first["model"],
        "criterion": None,
        "optimizer_history": history[-1:],
        "task_state": first.get("task_state") or {},
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
    }


def _names_of_tensors(weights: dict[str, Tensor]) -> dict[str, list[str]]:
    """Maps the first name of each floating-point tensor to all its names.

    Tied weights have several names.
    """
    names: dict[Any, list[str]] = {}
    for name, value in weights.items():
        if value.is_floating_point():
            memory = value.data_ptr(), value.shape, value.stride()
            names.setdefault(memory if value.numel() else name, []).append(name)
    return {group[0]: group for group in names.values()}


def _check_finite(state: dict[str, Any], names: Iterable[str], path: Path) -> None:
    from fairseq_amber.files.torch_file import is_finite

    for name in names:
        if not is_finite(state["model"][name]):
            raise UserError(
                f"{path}: {name} has values that are no numbers (NaN or infinite); take a "
                "checkpoint from before its training diverged"
            )


def _common_properties(state: dict[str, Any]) -> dict[str, Any]:
    """Returns the properties that checkpoints must share to be averaged."""
    from fairseq_amber.files.torch_file import settings

    architecture, _ = settings(state)
    return {
        "shapes": {name: tuple(value.shape) for name, value in state["model"].items()},
        "heads": getattr(architecture, "encoder_attention_heads", None),
        "epsilon": getattr(architecture, "layer_norm_eps", None),
        "dictionary": (state.get("task_state") or {}).get("dictionary"),
    }


def _check_same_model(
    expected: dict[str, Any], given: dict[str, Any], first: Path, path: Path
) -> None:
    expected_shapes, given_shapes = expected["shapes"], given["shapes"]
    for name in (*expected_shapes, *given_shapes):
        expected_shape = expected_shapes.get(name, "missing")
        given_shape = given_shapes.get(name, "missing")
        if expected_shape != given_shape:
            raise UserError(
                f"{path} is of another architecture or dictionary than {first}: {name} has "
                f"the shape {given_shape}, not {expected_shape}; only checkpoints of one model can "
                "be averaged"
            )
    for key, flag in (("heads", "attention heads"), ("epsilon", "layer norm epsilon")):
        if expected[key] != given[key]:
            raise UserError(
                f"{path} has {given[key]} as its {flag}, {first} has {expected[key]}; only "
                "checkpoints of one model can be averaged"
            )
    dictionaries = {expected["dictionary"], given["dictionary"]} - {None}
    if len(dictionaries) > 1:
        raise UserError(
            f"{path} was trained with another dict.txt than {first}; only checkpoints of one "
            "dictionary can be averaged"
        )
