"""Reads and writes outcomes: RESULT.items.npz, beside RESULT.json.

The file holds one array (N, 2) float32 of ``metrics.outcomes`` for each language and each part of
its score, under the name ``<language>/<part>``, such as ``de-en/forward`` or ``de-en/score``.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from fairseq_amber.errors import UserError
from fairseq_amber.files.npy_file import check_npy
from fairseq_amber.files.writing import atomic_writer
from fairseq_amber.metrics.outcomes import Outcomes

_MOST_INFLATED = 1100  # Deflate makes no data smaller than a 1032th
# What a damaged archive raises; zipfile does not know some methods and encryption.
_DAMAGE = (
    *(ValueError, KeyError, EOFError, IndexError, TypeError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


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
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename
                name = name[: -len(".npy")] if name.endswith(".npy") else name
                language, _, part = name.rpartition("/")
                values = _read_array(archive, entry)
                if values.ndim != 2 or values.shape[1] != 2 or not len(values):
                    raise ValueError
                if not np.isfinite(values).all():
                    raise ValueError
                outcomes.setdefault(language, {})[part] = values
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: it holds the outcome of every item, and an evaluator's --json "
            "writes it; measure again, or move it together with the JSON"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except _DAMAGE:
        raise UserError(f"{path} is not a file of outcomes; measure again") from None
    return outcomes


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """Reads an array of numbers, as float64, for which there is no more room than it needs.

    Raises:
        ValueError: the entry is not such an array, or states a size that it cannot have.
    """
    if entry.file_size > _MOST_INFLATED * (entry.compress_size + 1):
        raise ValueError("the entry cannot hold as much as it states")
    with archive.open(entry) as stream:
        check_npy(stream, entry.file_size)  # type: ignore[arg-type]
    with archive.open(entry) as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False)
    return values.astype(np.float64)
