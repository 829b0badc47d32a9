"""The examples of a prepared task behind one index, and the batches that they make up.

A batch of B examples is a dict with these entries; a kind's dataset adds its own:

- ``id``: (B,) int64, the index of each example in its split.
- ``split``: the name of the split.
- ``nsentences``: B.
- ``ntokens``: the number of tokens without padding.
- ``filler``: True if the batch repeats an example because its rank has no batch of its own at this
  step; it counts for nothing.
- ``target``: the labels, -1 where an example has none.
- ``target_count``: the number of labels that the loss sums over.
- ``net_input``: the arguments of the model: ``src_tokens`` (R, T) int64; ``head``, the name of the
  model's head; and, where the layout has them, ``segments`` and ``positions``, (R, T) int64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from fairseq_amber.data.finetuning.settings import RowSettings
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import pad_rows
from fairseq_amber.errors import UserError


class TaskDataset(FairseqDataset, ABC):
    """One split of a task in some languages, one language after the other.

    Args:
        folder: the prepared task.
        split: train, valid or test.
        languages: the languages to read.
        settings: how examples become rows.
        training: True if an example is the unit of training (for question answering, one window);
            False if it is the unit of prediction (all windows of a question).

    Attributes:
        head: the name of the model's head that scores the rows.
        sizes: (N,) the tokens that each example takes in a batch: the length of its row, or, if it
            has several rows, their number times ``max_length``. So B examples of at most K tokens
            make up a batch of at most B x K tokens, padding included.

    Raises:
        UserError: the folder has no such examples, or ``max_length`` leaves no room for them.
    """

    head: str
    sizes: np.ndarray

    def __init__(
        self,
        folder: TaskFolder,
        split: str,
        languages: Sequence[str],
        settings: RowSettings,
        *,
        training: bool,
    ):
        self.folder = folder
        self.split = split
        self.languages = list(languages)
        self.settings = settings
        parts = [folder.arrays(split, language) for language in self.languages]
        counts = self._read(parts, training)
        self._offsets = offsets(counts).tolist()

    @abstractmethod
    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        """Takes the arrays of each language, sets ``sizes``, and returns the number of examples of
        each language."""

    def __len__(self) -> int:
        return self._offsets[-1]

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """False, because every epoch has an order of its own."""
        return False

    def locate(self, index: int) -> tuple[str, int]:
        """Returns the language of an example, and the example's index within that language."""
        language_index = bisect_right(self._offsets, index) - 1
        return self.languages[language_index], index - self._offsets[language_index]

    def __getitem__(self, item) -> dict[str, Any]:
        """Returns an example by its index, or by the pair that iterating over a ``MicroBatch``
        yields."""
        index, batch = item if isinstance(item, tuple) else (item, None)
        filler = batch is not None and batch.filler
        return {"id": index, "filler": filler, **self._example(int(index))}

    @abstractmethod
    def _example(self, index: int) -> dict[str, Any]:
        """Returns the ``rows`` of an example and the other values that ``_complete`` reads."""

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes the batch of the given examples; the module's docstring lists its entries."""
        if not samples:
            return {}
        rows = [row for sample in samples for row in sample["rows"]]
        batch: dict[str, Any] = {
            "id": torch.tensor([sample["id"] for sample in samples]),
            "split": self.split,
            "nsentences": len(samples),
            "ntokens": sum(map(len, rows)),
            "filler": samples[0]["filler"],
            "net_input": {
                "src_tokens": pad_rows(rows, self.settings.specials.pad),
                "head": self.head,
            },
        }
        self._complete(batch, samples)
        batch["target_count"] = _target_count(batch["target"])
        return batch

    @abstractmethod
    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        """Adds ``target``, and the other entries that the kind of task needs, to the batch."""

    def _add_segments_and_positions(
        self, batch: dict[str, Any], prefix_lengths: Sequence[int]
    ) -> None:
        """Adds the segments and positions of rows that have two parts.

        Args:
            batch: the batch to complete.
            prefix_lengths: (R,) the tokens of each row's first part.
        """
        net_input = batch["net_input"]
        prefixes = torch.tensor(prefix_lengths)
        width = net_input["src_tokens"].size(1)
        net_input.update(self.settings.marks.inputs(prefixes, width))


def offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns where each of N parts begins, and where the last one ends: (N,) -> (N + 1,) int64."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def joined(parts: Sequence[dict[str, np.ndarray]], name: str) -> np.ndarray:
    """Concatenates the array ``name`` of all languages along its first axis."""
    return np.concatenate([part[name] for part in parts])


def subword_capacity(settings: RowSettings, specials: int, minimum: int, content: str) -> int:
    """Returns how many subwords a row holds beside its special tokens.

    Args:
        settings: how examples become rows.
        specials: the number of special tokens of a row.
        minimum: the number of subwords that a row must hold at least.
        content: the name of these subwords, for the error.

    Raises:
        UserError: a row cannot hold the subwords needed.
    """
    if settings.max_length < specials + minimum:
        raise UserError(
            f"rows of {settings.max_length} tokens are too short for {content}: it takes "
            f"{specials + minimum} with the special tokens; raise --max-length, and "
            "--max-positions of a model that has fewer"
        )
    return settings.max_length - specials


def _target_count(target: torch.Tensor) -> int:
    """Counts the labels of (M,) or (R, 2) targets; a row of two counts once."""
    return int((target.view(len(target), -1)[:, :1] >= 0).sum())
