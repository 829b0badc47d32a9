"""The base class of learning and prediction for one kind of task.

``Kind.learning`` names the subclass of a kind.

Shapes: R rows, T tokens of the longest row, M labelled items of a batch (words, pairs), L labels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Sequence

import torch.nn.functional as F
from torch import Tensor

from fairseq_amber.data.finetuning.dataset import TaskDataset
from fairseq_amber.data.finetuning.gold import Gold
from fairseq_amber.data.finetuning.kinds import Kind, load_class
from fairseq_amber.data.finetuning.settings import XtremeConfig
from fairseq_amber.metrics.question_answering import MAX_ANSWER_TOKENS


class Decoding(NamedTuple):
    """How answers are chosen from scores.

    Attributes:
        max_answer_tokens: the longest answer in subwords.
        n_best: the number of answers to each question, at most.
    """

    max_answer_tokens: int = MAX_ANSWER_TOKENS
    n_best: int = 1


class Learning(ABC):
    """The rows, the loss, the predictions and the scores of one kind of task.

    By default the model predicts one label for each of the M labelled items of a batch; subclasses
    override what their kind does differently.

    Attributes:
        dataset: makes the rows and batches.
        gold: holds the right answers and scores predictions.
        config: the flags of the fairseq task.
        row_settings: the flags that decide on the rows, in the order in which results list them.
        decoding_settings: the fields of ``Decoding`` that matter to the kind.
        any_task: whether a model that was fine-tuned on one task of the kind predicts for all.
    """

    dataset: type[TaskDataset]
    gold: type[Gold]
    config: type[XtremeConfig] = XtremeConfig
    row_settings: tuple[str, ...] = ("max_length",)
    decoding_settings: tuple[str, ...] = ()
    any_task = False

    def outputs(self, labels: Sequence[str]) -> int:
        """Returns the number of scores that the model's head gives."""
        return len(labels)

    def loss(self, scores: Tensor, batch: dict[str, Any], pad: int) -> Tensor:
        """Computes the loss that a training step minimises, in nats: the sum over all labelled
        items.

        It is the cross-entropy ``sum_i -log softmax(scores_i)[target_i]``.

        Args:
            scores: (M, L) scores of the model's head.
            batch: the batch, with ``target`` (M,), -1 where there is no label.
            pad: the id of the padding.

        Returns:
            A scalar; 0 if no item has a label.
        """
        return F.cross_entropy(scores, batch["target"], ignore_index=-1, reduction="sum")

    def choose(self, scores: Tensor, batch: dict[str, Any], decoding: Decoding) -> Any:
        """Chooses the best label or span from the scores of a batch.

        Args:
            scores: (M, L) scores of the model's head; a kind may have another shape.
            batch: the batch.
            decoding: how answers are chosen.

        Returns:
            (M,) int64, the number of the best label. The tensor stays on the device of the scores,
            so that the host need not wait for each batch.
        """
        return scores.argmax(1)

    @abstractmethod
    def predictions(self, chosen: Any, batch: dict[str, Any], labels: Sequence[str]) -> list[Any]:
        """Returns one prediction for each example of a batch, in the order of its ``id``.

        Args:
            chosen: the value that ``choose`` returned.
            batch: the batch; its ``net_input`` is not needed.
            labels: the labels in the order of their numbers.
        """

    def check_languages(self, task: str, languages: Sequence[str], flag: str) -> None:
        """Checks that predictions in these languages can be scored.

        Args:
            task: the task's name.
            languages: the languages.
            flag: the flag that chooses them, for the error.

        Raises:
            UserError: the predictions of a language cannot be scored.
        """
        return None


def label_texts(chosen: Tensor, labels: Sequence[str]) -> list[str]:
    """Looks up the texts of M labels from their numbers: (M,) int64 -> M labels."""
    return [labels[number] for number in chosen.tolist()]


def learning_of(kind: Kind) -> Learning:
    """Creates the ``Learning`` of a kind; the registry names its class."""
    return load_class(kind.learning)()
