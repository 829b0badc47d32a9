"""Reads the weights of a Hugging Face folder, whole or in shards, without running code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_amber.errors import UserError
from fairseq_amber.files import git_lfs
from fairseq_amber.files.json_file import read_json
from fairseq_amber.files.names import check_relative
from fairseq_amber.files.torch_file import is_finite, read_torch_file

SAFETENSORS_NAME = "model.safetensors"
WEIGHT_NAMES = (SAFETENSORS_NAME, "pytorch_model.bin")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Reads the weights of a folder.

    Raises:
        UserError: there are none, or a file is missing, damaged or cut short, or lies outside of
            the folder, or two files have other values of one weight.
    """
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return _read_file(folder / name)
        index = read_json(folder / f"{name}.index.json")
        if index is not None:
            return _read_shards(folder, index, folder / f"{name}.index.json")
    raise UserError(f"{folder} has no weights: neither {' nor '.join(WEIGHT_NAMES)}")


def _read_shards(folder: Path, index: dict[str, Any], path: Path) -> dict[str, Tensor]:
    shards = index.get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise UserError(f"{path} is damaged: it has no weight_map; fetch it again")
    weights: dict[str, Tensor] = {}
    for part in sorted({check_relative(part, "weight file", path) for part in shards.values()}):
        if not (folder / part).is_file():
            raise UserError(
                f"{folder / part} is missing, which {path.name} lists; fetch the whole folder again"
            )
        found = _read_file(folder / part)
        other = [n for n in found.keys() & weights.keys() if not _equal(found[n], weights[n])]
        if other:
            raise UserError(
                f"{folder / part} has other values of {min(other)} than another weight file that "
                f"{path.name} lists ({len(other)} such parameters): they are of two models; fetch "
                "the whole folder again"
            )
        weights.update(found)
    absent = [name for name in shards if name not in weights]
    if absent:
        raise UserError(
            f"{folder / shards[absent[0]]} lacks {absent[0]}, which {path.name} lists there "
            f"({len(absent)} such parameters); fetch it again"
        )
    return weights


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        weights = read_torch_file(path)
        if not isinstance(weights, dict) or not all(
            isinstance(name, str) and torch.is_tensor(value) for name, value in weights.items()
        ):
            raise UserError(f"{path} is not a dictionary of named tensors")
    else:
        git_lfs.check_file(path)
        safetensors = import_safetensors()
        try:
            weights = safetensors.load_file(str(path))
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from None
        except Exception as error:
            cause = str(error).splitlines()[0]
            raise UserError(
                f"{path} is not a complete safetensors file ({cause}); fetch it again"
            ) from None
    for name, value in weights.items():
        if not is_finite(value):
            raise UserError(
                f"{path}: {name} has values that are no numbers (NaN or infinite); fetch it "
                "again, or take a checkpoint from before its training diverged"
            )
    return dict(weights)


def encode_safetensors(weights: dict[str, Tensor]) -> bytes:
    """Returns the content of a safetensors file."""
    contiguous = {name: value.contiguous() for name, value in weights.items()}
    return import_safetensors().save(contiguous, metadata={"format": "pt"})


def import_safetensors() -> Any:
    """Returns the module ``safetensors.torch``.

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
