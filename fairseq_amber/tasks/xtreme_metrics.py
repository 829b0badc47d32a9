"""The scores of a validation batch, as sums that add up over batches and ranks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, NamedTuple

import numpy as np
import torch

from fairseq_amber.data.finetuning.dataset import TaskDataset
from fairseq_amber.data.finetuning.squad_file import SquadFile, read_squad
from fairseq_amber.metrics.answers import answer_text, best_answers
from fairseq_amber.metrics.question_answering import mlqa_scores, squad_scores
from fairseq_amber.metrics.tagging import TagCounts, count_tags, tag_scores


class Metric(NamedTuple):
    """names: of the sums; sums: of a batch, from its dataset, itself and the head's scores; scores:
    by name, in percent, from the sums of a split."""

    names: tuple[str, ...]
    sums: Callable[[TaskDataset, dict[str, Any], torch.Tensor], tuple[float, ...]]
    scores: dict[str, Callable[..., float]]


def _tagging(dataset: TaskDataset, sample: dict[str, Any], scores: torch.Tensor) -> TagCounts:
    ends = np.cumsum(sample["words"])[:-1]
    predicted, gold = (
        np.split(numbers.cpu().numpy(), ends) for numbers in (scores.argmax(1), sample["target"])
    )
    labels = np.array(dataset.folder.labels, dtype=object)
    known = [i for i, sentence in enumerate(gold) if (sentence >= 0).all()]
    return count_tags(*([labels[side[i]].tolist() for i in known] for side in (predicted, gold)))


def _classification(
    dataset: TaskDataset, sample: dict[str, Any], scores: torch.Tensor
) -> tuple[float, ...]:
    correct = scores.argmax(1) == sample["target"]  # -1 is never predicted
    return float(correct.sum()), float(sample["target_count"])


def _qa(dataset: TaskDataset, sample: dict[str, Any], scores: torch.Tensor) -> tuple[float, ...]:
    em = f1 = questions = 0.0
    spans = best_answers(scores, sample["windows"], n_best=1)
    for index, (span,) in zip(sample["id"].tolist(), spans):
        language, number = dataset.locate(index)
        text, offsets = _texts(dataset, language)
        question = text.questions[number]
        if not question.answers:
            continue
        prediction = answer_text(text.contexts[question.context], offsets[question.context], span)
        answers = [answer.text for answer in question.answers]
        if dataset.folder.task == "mlqa":
            score = mlqa_scores(prediction, answers, language)
        else:
            score = squad_scores(prediction, answers)
        em, f1, questions = em + score.em, f1 + score.f1, questions + 1
    return em, f1, questions


@lru_cache(maxsize=None)
def _texts(dataset: TaskDataset, language: str) -> tuple[SquadFile, list[np.ndarray]]:
    """The text of a split, and the characters of each context's subwords."""
    arrays = dataset.folder.arrays(dataset.split, language)
    ends = np.cumsum(arrays["context_lengths"])[:-1]
    path = dataset.folder.examples_path(dataset.split, language)
    text = read_squad(path, unique_ids=False)
    return text, np.split(arrays["context_offsets"], ends)


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


METRICS = {
    "tagging": Metric(
        TagCounts._fields,
        _tagging,
        {
            name: lambda *sums, name=name: tag_scores(TagCounts(*sums))[name]
            for name in ("f1", "precision", "recall", "accuracy")
        },
    ),
    "classification": Metric(
        ("correct_pairs", "pairs"), _classification, {"accuracy": lambda *sums: _share(*sums)}
    ),
    "qa": Metric(
        ("em_sum", "f1_sum", "questions"),
        _qa,
        {
            "em": lambda em, f1, questions: _share(em, questions),
            "f1": lambda em, f1, questions: _share(f1, questions),
        },
    ),
}
