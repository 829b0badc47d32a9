"""Runs a fine-tuned checkpoint over a prepared task: labels of words or pairs, answer spans."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from fairseq_amber.data.finetuning.dataset import RowSettings, TaskDataset, task_dataset
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.sentence_batches import batches_by_length
from fairseq_amber.errors import UserError
from fairseq_amber.inference.checkpoint import LoadedModel, find_device, load_model
from fairseq_amber.metrics.answers import Span, best_answers
from fairseq_amber.progress import Progress, heartbeat

# What decides on the rows of each kind of task, with the values of XTREME.
_PAIRS = {"pair_positions": "continuous", "pair_segments": "auto"}
_LAYOUTS: dict[str, dict[str, Any]] = {
    "tagging": {"max_length": 128},
    "classification": {"max_length": 128, **_PAIRS},
    "qa": {"max_length": 384, "doc_stride": 128, "max_query_length": 64, **_PAIRS},
}


class Predictor:
    """A model with its head, and the layout of rows it was fine-tuned with.

    Attributes:
        config: what identifies the model and decides on its rows, for the JSON of a result.
    """

    def __init__(
        self,
        model: Any,
        folder: TaskFolder,
        settings: RowSettings,
        labels: Sequence[str],
        config: dict[str, Any],
        *,
        max_answer_tokens: int = 30,
        n_best: int = 1,
    ):
        self._model = model
        self._folder = folder
        self._settings = settings
        self._labels = np.array(labels, dtype=object)
        self._max_answer_tokens = max_answer_tokens
        self._n_best = n_best
        self._device = next(model.parameters()).device
        self.config = config

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        folder: TaskFolder,
        *,
        device: str | None = None,
        fp16: bool = False,
        max_answer_tokens: int = 30,
        n_best: int = 1,
        **changes: Any,
    ) -> Predictor:
        """Loads a checkpoint that an xtreme_* task has written, for a folder of the same task.

        Args:
            device: such as cpu or cuda:0; by default a GPU if there is one.
            fp16: run the model in half precision, on a GPU alone.
            max_answer_tokens: longest answer in subwords.
            n_best: so many answers to a question, at most.
            changes: max_length, doc_stride, max_query_length, pair_positions or pair_segments,
                in place of the value (None: the value itself) that the checkpoint was trained with.

        Raises:
            UserError: the checkpoint has no head, or one for another task, other labels or another
                dictionary; a change means nothing to this task; or there is no such device.
        """
        changes = {name: value for name, value in changes.items() if value is not None}
        for name in changes.keys() - _LAYOUTS[folder.kind].keys():
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} means nothing to {folder.task}; leave it out")
        where = find_device(device)
        if fp16 and where.type == "cpu":
            raise UserError("--fp16 needs a GPU; leave it out, or name one with --device cuda")
        with heartbeat(f"loading {checkpoint}"):
            loaded = load_model(checkpoint, data=folder.path)
        state = _check_task(loaded, folder, checkpoint)
        # A setting that is younger than the checkpoint has its default.
        trained = {
            name: getattr(loaded.task_settings, name, default)
            for name, default in _LAYOUTS[folder.kind].items()
        }
        values = {**trained, **changes}
        values["max_length"] = min(values["max_length"], loaded.model.max_positions())
        if folder.kind == "qa":
            values["max_answer_tokens"] = max_answer_tokens
        languages = getattr(loaded.task_settings, "train_languages", None)
        config = {
            **loaded.config,
            "fine_tuned_on": state["task"] + (f" {languages}" if languages else ""),
            **values,
            "precision": "fp16" if fp16 else "fp32",
        }
        model = loaded.model.half() if fp16 else loaded.model
        settings = _row_settings(Specials.of(loaded.dictionary), values)
        return cls(
            model.to(where),
            folder,
            settings,
            state["labels"],
            config,
            max_answer_tokens=max_answer_tokens,
            n_best=n_best,
        )

    def predict(self, split: str, language: str, *, batch_tokens: int = 8192) -> list[Any]:
        """Predictions for all examples of a split in a language, in the order of its file.

        What else is in a batch changes none of them.

        Args:
            batch_tokens: at most so many tokens in a batch, padding included; an example that has
                more is a batch of its own.

        Returns:
            tagging: the labels of each sentence's words; classification: a label for each pair;
            qa: the best `Span`s for each question, the best first.

        Raises:
            UserError: the model's scores are not finite.
        """
        dataset = task_dataset(self._folder, split, [language], self._settings, training=False)
        if self._folder.kind == "qa":
            return self._spans(dataset, batch_tokens)
        order, sizes, numbers = [], [], []
        for batch, scores in self._scores(dataset, batch_tokens):
            order += batch["id"].tolist()
            sizes += batch.get("words", [1] * batch["nsentences"])
            numbers.append(scores.argmax(1))  # stays on the device: one wait, at the end
        if not numbers:
            return []
        labels = self._labels[torch.cat(numbers).cpu().numpy()]
        parts = np.split(labels, np.cumsum(sizes)[:-1])
        found = [parts[i].tolist() for i in np.argsort(order)]
        return found if self._folder.kind == "tagging" else [label for (label,) in found]

    def _spans(self, dataset: TaskDataset, batch_tokens: int) -> list[list[Span]]:
        spans: dict[int, list[Span]] = {}
        for batch, scores in self._scores(dataset, batch_tokens):
            answers = best_answers(
                scores,
                batch["windows"],
                n_best=self._n_best,
                max_answer_tokens=self._max_answer_tokens,
            )
            spans.update(zip(batch["id"].tolist(), answers))
        return [spans[i] for i in range(len(dataset))]

    @torch.no_grad()
    def _scores(
        self, dataset: TaskDataset, batch_tokens: int
    ) -> Iterator[tuple[dict[str, Any], Tensor]]:
        """Batches of falling length, and the head's scores of each, with a progress bar."""
        broken = torch.zeros((), dtype=torch.bool, device=self._device)
        sizes, what = dataset.sizes.tolist(), f"predicting {dataset.languages[0]}"
        with Progress(total=len(dataset), unit="examples", what=what, work=sum(sizes)) as progress:
            for indices in batches_by_length(sizes, batch_tokens):
                batch = dataset.collater([dataset[int(i)] for i in indices])
                net_input = {
                    key: value.to(self._device) if isinstance(value, Tensor) else value
                    for key, value in batch["net_input"].items()
                }
                scores, _ = self._model(**net_input)
                broken |= ~scores.isfinite().all()
                yield batch, scores
                progress.update(len(indices), work=sum(sizes[i] for i in indices))
        if broken:
            half = self.config.get("precision") == "fp16"
            remedy = "leave out --fp16" if half else "its training diverged: take an earlier one"
            checkpoint = self.config["checkpoint"]
            raise UserError(f"{checkpoint} gives scores that are NaN or infinite; {remedy}")


def _check_task(loaded: LoadedModel, folder: TaskFolder, checkpoint: str | Path) -> dict[str, Any]:
    """What the checkpoint was fine-tuned for, once that is the folder's task.

    Raises:
        UserError: it is not.
    """
    state = loaded.task_state
    if state.get("kind") is None or state["kind"] not in loaded.model.heads:
        raise UserError(
            f"{checkpoint} is not fine-tuned for a task: it has no head; fine-tune it with "
            f"fairseq-train {folder.path} --task xtreme_{folder.kind} "
            f"--finetune-from-model {checkpoint}"
        )
    # Any question answering model answers any questions; labels belong to one task.
    same = state["kind"] == folder.kind and (folder.kind == "qa" or state["task"] == folder.task)
    if not same:
        raise UserError(
            f"{checkpoint} was fine-tuned for {state['task']} but {folder.path} is {folder.task}; "
            "give a folder of its own task"
        )
    unknown = [label for label in folder.labels if label not in state["labels"]]
    if unknown:
        raise UserError(
            f"{checkpoint} was fine-tuned with the labels {', '.join(state['labels'])}, but "
            f"{folder.path} also has {', '.join(unknown)}; prepare both from data of one label set"
        )
    return state


def _row_settings(specials: Specials, values: dict[str, Any]) -> RowSettings:
    settings = RowSettings(
        specials,
        values["max_length"],
        segments=values.get("pair_segments") == "auto",
        reset_positions=values.get("pair_positions") == "reset",
    )
    windows = {name: values[name] for name in ("doc_stride", "max_query_length") if name in values}
    return settings._replace(**windows)
