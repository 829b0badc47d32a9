"""The outcome of every test item, beside the JSON of a result: what a significance test needs.

RESULT.items.npz holds for every language and part of its score, such as `de-en/forward` or
`de-en/score`, a float32 array (N, 2): what each of N items adds to a numerator and a denominator.
The part's score is 100 * numerator / denominator, or for an error rate 100 minus that. Accuracy has
1 or 0 over 1, AER |A & S| + |A & P| over |A| + |S|, F1 of tagging and of mining twice what is right
over what is predicted and what is gold. A language's score is the mean of its parts.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Dict

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.evaluation.text_files import atomic_writer

Items = Dict[str, Dict[str, np.ndarray]]

LOWER_IS_BETTER = frozenset({"AER"})  # the error rates


def items_path(result: str | Path) -> Path:
    """r.items.npz for r.json."""
    path = Path(result)
    return path.with_name((path.stem if path.suffix == ".json" else path.name) + ".items.npz")


def accuracy_items(correct: np.ndarray) -> np.ndarray:
    """(N,) bool -> (N, 2)."""
    return np.stack([correct, np.ones(len(correct))], axis=1).astype(np.float32)


def write_items(items: Items, path: str | Path) -> None:
    """Writes the outcomes; the file appears whole or not at all."""
    arrays = {
        f"{language}/{part}": np.asarray(values, dtype=np.float32)
        for language, parts in items.items()
        for part, values in parts.items()
    }
    with atomic_writer(path, binary=True) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_items(path: str | Path) -> Items:
    """Reads what `write_items` wrote.

    Raises:
        UserError: the file is missing or is something else.
    """
    items: Items = {}
    try:
        with np.load(path) as arrays:
            for name in arrays.files:
                language, _, part = name.rpartition("/")
                values = arrays[name].astype(np.float64)
                if values.ndim != 2 or values.shape[1] != 2 or not len(values):
                    raise ValueError
                items.setdefault(language, {})[part] = values
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: it holds the outcome of every item, and an evaluator's --json "
            "writes it; measure again, or move it together with the JSON"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{path} holds no outcomes; measure again") from None
    return items
