"""The summary of a prepared task: a table of its splits and languages."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np

from fairseq_amber.errors import warn
from fairseq_amber.files.tables import plain_table
from fairseq_amber.preparation.task.examples import Examples
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN

_HIGH_UNKNOWN = 0.01  # a share of unknown subwords that deserves a warning


class Counts(NamedTuple):
    """The counts of a split in a language.

    Attributes:
        examples: the number of examples.
        parts: the number of their parts, such as words, by the parts' name.
        tokens: the number of subwords.
        unknown: the number of subwords that are ``<unk>``.
        labels: how often each label occurs; see ``Examples.occurrences``.
    """

    examples: int
    parts: dict[str, int]
    tokens: int
    unknown: int
    labels: dict[str, int]


def count(examples: Examples, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> Counts:
    """Counts the examples that were encoded as these arrays, and their tokens and labels."""
    tokens = [arrays[name] for name in examples.token_arrays]
    total = sum(len(array) for array in tokens)
    unknown = sum(int(np.count_nonzero(array == UNKNOWN)) for array in tokens)
    parts = {name: len(arrays[array]) for name, array in examples.part_arrays.items()}
    return Counts(examples.number, parts, total, unknown, examples.occurrences(arrays, labels))


def describe(unit: str, counts: Mapping[tuple[str, str], Counts]) -> str:
    """Returns the table of all splits and languages.

    Args:
        unit: what one example is, in the plural.
        counts: the counts by split and language.
    """
    parts, labels = (
        list(
            dict.fromkeys(
                name for split_counts in counts.values() for name in getattr(split_counts, field)
            )
        )
        for field in ("parts", "labels")
    )
    rows = [["", unit, *parts, "subwords", "unknown", *labels]]
    for (split, language), split_counts in counts.items():
        numbers = [
            split_counts.examples,
            *(split_counts.parts[name] for name in parts),
            split_counts.tokens,
        ]
        rows.append(
            [f"{split} {language}", *(f"{number:,}" for number in numbers)]
            + [f"{_unknown_rate(split_counts):.2%}"]
            + [f"{split_counts.labels.get(label, 0):,}" for label in labels]
        )
    return plain_table(rows[0], rows[1:])


def warn_of_unknown(counts: Mapping[tuple[str, str], Counts]) -> None:
    """Warns of each split and language that has many unknown subwords."""
    for (split, language), each in counts.items():
        rate = _unknown_rate(each)
        if rate > _HIGH_UNKNOWN:
            warn(
                f"{split} {language}: {rate:.1%} of the subwords are <unk>; give a --tokenizer "
                "that knows this script"
            )


def _unknown_rate(counts: Counts) -> float:
    return counts.unknown / max(counts.tokens, 1)
