"""The examples of a prepared task behind one index, and the batches made of them.

A batch of B examples is a dict: ``id`` (B,) int64, their indices in a ``split``; ``nsentences``, B;
``ntokens``, without padding; ``filler``, True for a batch that only keeps a rank busy and counts
for nothing; ``target_count``, how many targets are scored; and ``net_input``, the arguments of the
model: ``src_tokens`` (R, T) int64, ``head``, the kind of task, and where the layout has them
``segments`` and ``positions`` (R, T) int64. What else it holds depends on the kind of task: see its
dataset.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials, pad_rows, pair_segments, reset_positions
from fairseq_amber.errors import UserError


class RowSettings(NamedTuple):
    """How examples become rows.

    specials: of the dictionary. max_length: longest row in subwords, special tokens included.
    segments: tell the two parts of a row by BERT's token types; reset_positions: by XLM's
    positions. doc_stride: windows over a context begin so many subwords apart. max_query_length:
    longer questions are cut to so many subwords.
    """

    specials: Specials
    max_length: int
    segments: bool = True
    reset_positions: bool = False
    doc_stride: int = 128
    max_query_length: int = 64


class TaskDataset(FairseqDataset):
    """A split of a task in some languages, one after the other.

    Args:
        folder: the prepared task.
        split: train, valid or test.
        languages: of its files.
        settings: of the rows.
        training: cut examples to what a training step takes.

    Attributes:
        head: the kind of task, which names the model's head.
        sizes: (N,) tokens that an example takes in a batch: those of its row, or where it has
            several rows as many times ``max_length``. So B examples of at most K make up a batch of
            at most B x K tokens, padding included.

    Raises:
        UserError: there are no such examples, or ``max_length`` leaves no room for them.
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

    def _read(self, parts: Sequence[dict[str, np.ndarray]], training: bool) -> list[int]:
        """Takes the arrays of each language, sets ``sizes``, and returns how many examples each
        language has."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self._offsets[-1]

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """False: every epoch has an order of its own."""
        return False

    def locate(self, index: int) -> tuple[str, int]:
        """The language of an example, and its index among those of this language."""
        which = bisect_right(self._offsets, index) - 1
        return self.languages[which], index - self._offsets[which]

    def __getitem__(self, item) -> dict[str, Any]:
        """An example by its index; also of a :class:`~fairseq_amber.data.plan.MicroBatch`."""
        index, batch = item if isinstance(item, tuple) else (item, None)
        filler = batch is not None and batch.filler
        return {"id": index, "filler": filler, **self._example(int(index))}

    def _example(self, index: int) -> dict[str, Any]:
        """Its ``rows``, and what else :meth:`_complete` takes."""
        raise NotImplementedError

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch of examples, as the module's description has it."""
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

    def _complete(self, batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
        """Adds what is the task's own; ``target`` at least, -1 where it does not count."""
        raise NotImplementedError

    def _tell_parts(self, batch: dict[str, Any], prefix_lengths: Sequence[int]) -> None:
        """Adds the segments and positions of rows of two parts, the first of (R,) tokens."""
        net_input = batch["net_input"]
        prefixes = torch.tensor(prefix_lengths)
        width = net_input["src_tokens"].size(1)
        if self.settings.segments:
            net_input["segments"] = pair_segments(prefixes, width)
        if self.settings.reset_positions:
            net_input["positions"] = reset_positions(prefixes, width)


def task_dataset(
    folder: TaskFolder,
    split: str,
    languages: Sequence[str],
    settings: RowSettings,
    *,
    training: bool,
) -> TaskDataset:
    """The dataset of the folder's kind of task; see :class:`TaskDataset`."""
    # These modules import this one.
    from fairseq_amber.data.finetuning.classification import ClassificationDataset
    from fairseq_amber.data.finetuning.question_answering import QuestionDataset
    from fairseq_amber.data.finetuning.tagging import TaggingDataset

    kinds = {kind.head: kind for kind in (TaggingDataset, ClassificationDataset, QuestionDataset)}
    return kinds[folder.kind](folder, split, languages, settings, training=training)


def offsets(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """(N,) lengths -> (N + 1,) int64, where each begins and the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def joined(parts: Sequence[dict[str, np.ndarray]], name: str) -> np.ndarray:
    """An array of all languages end to end."""
    return np.concatenate([part[name] for part in parts])


def room(settings: RowSettings, specials: int, needed: int, what: str) -> int:
    """Subwords of a row beside its special tokens.

    Raises:
        UserError: it has no room for those needed.
    """
    if settings.max_length < specials + needed:
        raise UserError(
            f"rows of {settings.max_length} tokens are too short for {what}: it takes "
            f"{specials + needed} with the special tokens; raise --max-length, and --max-positions "
            "of a model that has fewer"
        )
    return settings.max_length - specials


def _target_count(target: torch.Tensor) -> int:
    return int((target.view(len(target), -1)[:, :1] >= 0).sum())
