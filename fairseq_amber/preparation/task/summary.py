"""What a task was prepared from, as a table for people."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Sequence

import numpy as np

from fairseq_amber.files.tables import plain_table
from fairseq_amber.preparation.task.examples import Examples, Questions
from fairseq_amber.tokenizers.fairseq_order import UNKNOWN

_HIGH_UNKNOWN = 0.01
_TOKENS = ("tokens", "first_tokens", "second_tokens", "context_tokens", "question_tokens")
_PARTS = {"word_lengths": "words", "context_lengths": "contexts"}
_EXAMPLES = {"tagging": "sentences", "classification": "pairs", "qa": "questions"}


class Counts(NamedTuple):
    """Of a split in a language. examples: sentences, pairs or questions. parts: words or contexts
    by that name. tokens, unknown: subwords, and those among them that are ``<unk>``. labels: how
    often each occurs; of answers, how many there are, and how many their subwords give back
    character for character."""

    examples: int
    parts: dict[str, int]
    tokens: int
    unknown: int
    labels: dict[str, int]


def count(examples: Examples, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> Counts:
    """The counts of what was encoded."""
    tokens = [arrays[name] for name in arrays if name in _TOKENS]
    total = sum(len(array) for array in tokens)
    unknown = sum(int(np.count_nonzero(array == UNKNOWN)) for array in tokens)
    parts = {name: len(arrays[array]) for array, name in _PARTS.items() if array in arrays}
    if isinstance(examples, Questions):
        answers = int(np.count_nonzero(arrays["answer_tokens"][:, 0] >= 0))
        found = {"answers": answers, "exact": examples.exact_answers(arrays)}
    else:
        every = np.bincount(arrays["labels"] + 1, minlength=len(labels) + 1).tolist()
        found = dict(zip(labels, every[1:]))
        if every[0]:
            found["blank"] = every[0]
    return Counts(examples.number, parts, total, unknown, found)


def describe(kind: str, counts: Mapping[tuple[str, str], Counts]) -> str:
    """The table of all splits and languages, and what to beware of."""
    parts, labels = (
        list(dict.fromkeys(name for each in counts.values() for name in getattr(each, field)))
        for field in ("parts", "labels")
    )
    rows = [["", _EXAMPLES[kind], *parts, "subwords", "unknown", *labels]]
    warnings = []
    for (split, language), each in counts.items():
        rate = each.unknown / max(each.tokens, 1)
        numbers = [each.examples, *(each.parts[name] for name in parts), each.tokens]
        rows.append(
            [f"{split} {language}", *(f"{number:,}" for number in numbers), f"{rate:.2%}"]
            + [f"{each.labels.get(label, 0):,}" for label in labels]
        )
        if rate > _HIGH_UNKNOWN:
            warnings.append(
                f"warning: {split} {language}: {rate:.1%} of the subwords are <unk>; give a "
                "--tokenizer that knows this script"
            )
    return "\n".join([plain_table(rows[0], rows[1:]), *warnings])
