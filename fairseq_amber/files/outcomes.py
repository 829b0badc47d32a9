"""Reads and writes outcomes: RESULT.items.npz, beside RESULT.json.

The file holds one array (N, 2) float32 of ``metrics.outcomes`` for each language and each part of
its score, under the name ``<language>/<part>``, such as ``de-en/forward`` or ``de-en/score``.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.metrics.outcomes import Outcomes


def outcomes_path(result: str | Path) -> Path:
    """Returns the file of the outcomes that belong to a result: r.items.npz for r.json."""
    path = Path(result)
    return path.with_name((path.stem if path.suffix == ".json" else path.name) + ".items.npz")


def write_outcomes(outcomes: Outcomes, path: str | Path) -> None:
    """Writes outcomes; the file appears whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = {
        f"{language}/{part}": np.asarray(values, dtype=np.float32)
        for language, parts in outcomes.items()
        for part, values in parts.items()
    }
    with atomic_writer(path, binary=True) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_outcomes(path: str | Path) -> Outcomes:
    """Reads what ``write_outcomes`` wrote, as float64.

    Raises:
        UserError: the file is missing, cannot be read or holds something else.
    """
    outcomes: Outcomes = {}
    try:
        with np.load(path) as arrays:
            for name in arrays.files:
                language, _, part = name.rpartition("/")
                values = arrays[name].astype(np.float64)
                if values.ndim != 2 or values.shape[1] != 2 or not len(values):
                    raise ValueError
                outcomes.setdefault(language, {})[part] = values
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: it holds the outcome of every item, and an evaluator's --json "
            "writes it; measure again, or move it together with the JSON"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise UserError(f"{path} is not a file of outcomes; measure again") from None
    return outcomes
