"""Runs a fine-tuned checkpoint over a prepared task: labels of words or pairs, answer spans."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import torch
from torch import Tensor

from fairseq_amber.data.batches_by_length import batches_by_length
from fairseq_amber.data.finetuning.dataset import TaskDataset
from fairseq_amber.data.finetuning.learning import Decoding, learning_of
from fairseq_amber.data.finetuning.settings import RowSettings, default_values
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.errors import UserError
from fairseq_amber.inference.checkpoint import LoadedModel, find_device, load_model
from fairseq_amber.progress import Progress, heartbeat

_DECODING = Decoding()


class Predictor:
    """A model with its head, and the layout of the rows that it was fine-tuned with.

    Args:
        model: the model, on the device to use.
        folder: the prepared task.
        settings: how examples become rows.
        labels: the labels in the order of the head's scores.
        config: what identifies the model and decides on its rows, for the JSON of a result.
        decoding: how answers are chosen.

    Attributes:
        config: what identifies the model and decides on its rows, for the JSON of a result.
        labels: the labels in the order of the head's scores; [] for answers.
    """

    def __init__(
        self,
        model: Any,
        folder: TaskFolder,
        settings: RowSettings,
        labels: Sequence[str],
        config: dict[str, Any],
        decoding: Decoding = _DECODING,
    ):
        self._model = model
        self._folder = folder
        self._learning = learning_of(folder.kind)
        self._settings = settings
        self.labels = list(labels)
        self._decoding = decoding
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
        decoding: Decoding = _DECODING,
        **changes: Any,
    ) -> Predictor:
        """Loads a checkpoint that a task ``xtreme_*`` has written, for a folder of the same task.

        Args:
            checkpoint: the checkpoint's file.
            folder: the prepared task.
            device: a device such as cpu or cuda:0; by default a GPU if there is one.
            fp16: whether the model runs in half precision, which needs a GPU.
            decoding: how answers are chosen.
            changes: values of ``Learning.row_settings``, in place of those that the checkpoint was
                trained with; None stands for the latter.

        Raises:
            UserError: the checkpoint has no head, or a head for another task or other labels, or
                another dictionary; the task does not have one of the settings to change; or there
                is no such device.
        """
        learning = learning_of(folder.kind)
        changes = {name: value for name, value in changes.items() if value is not None}
        for name in changes.keys() - set(learning.row_settings):
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} means nothing to {folder.task}; leave it out")
        where = find_device(device)
        if fp16 and where.type == "cpu":
            raise UserError("--fp16 needs a GPU; leave it out, or name one with --device cuda")
        with heartbeat(f"loading {checkpoint}"):
            loaded = load_model(checkpoint, data=folder.path)
        state = _check_task(loaded, folder, checkpoint)
        # A checkpoint lacks the settings that are younger than it: they have their defaults.
        trained = {
            name: getattr(loaded.task_settings, name, default)
            for name, default in default_values(learning.config, learning.row_settings).items()
        }
        values = {**trained, **changes}
        values["max_length"] = min(values["max_length"], loaded.model.max_positions())
        chosen = {name: getattr(decoding, name) for name in learning.decoding_settings}
        languages = getattr(loaded.task_settings, "train_languages", None)
        config = {
            **loaded.config,
            "fine_tuned_on": state["task"] + (f" {languages}" if languages else ""),
            **values,
            **chosen,
            "precision": "fp16" if fp16 else "fp32",
        }
        model = loaded.model.half() if fp16 else loaded.model
        types = model.encoder.sentence_encoder.embed_segments is not None
        settings = RowSettings.of(Specials.of(loaded.dictionary), values, types)
        return cls(model.to(where), folder, settings, state["labels"], config, decoding)

    def predict(self, split: str, language: str, *, batch_tokens: int = 8192) -> list[Any]:
        """Returns predictions for all examples of a split in a language, in the order of its file.

        A prediction does not depend on what else is in its batch.

        Args:
            split: train, valid or test.
            language: one of the split's languages.
            batch_tokens: the largest number of tokens in a batch, padding included; an example
                that has more is a batch of its own.

        Returns:
            A prediction for each example, as ``Learning.predictions`` of the task's kind has them.

        Raises:
            UserError: the model's scores are not finite.
        """
        learning = self._learning
        dataset = learning.dataset(self._folder, split, [language], self._settings, training=False)
        # The chosen labels or spans may stay on the device until the end, so that the host waits
        # only once.
        chosen = [
            (learning.choose(scores, batch, self._decoding), batch)
            for batch, scores in self._scores(dataset, batch_tokens)
        ]
        found: dict[int, Any] = {}
        for best, batch in chosen:
            predictions = learning.predictions(best, batch, self.labels)
            found.update(zip(batch["id"].tolist(), predictions))
        return [found[index] for index in range(len(dataset))]

    @torch.no_grad()
    def _scores(
        self, dataset: TaskDataset, batch_tokens: int
    ) -> Iterator[tuple[dict[str, Any], Tensor]]:
        """Yields batches of falling length without ``net_input``, and the head's scores of each.

        The scores have the shape (M, labels) for M words or sentence pairs, and (R, T, 2) for R
        windows of T tokens, whose first and last tokens of an answer are scored.
        """
        broken = torch.zeros((), dtype=torch.bool, device=self._device)
        sizes, what = dataset.sizes.tolist(), f"predicting {dataset.languages[0]}"
        with Progress(total=len(dataset), unit="examples", what=what, work=sum(sizes)) as progress:
            for indices in batches_by_length(sizes, batch_tokens):
                batch = dataset.collater([dataset[int(i)] for i in indices])
                net_input = {
                    key: value.to(self._device) if isinstance(value, Tensor) else value
                    for key, value in batch.pop("net_input").items()
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
    """Returns the task state of a checkpoint, after checking that it belongs to the folder's task.

    Raises:
        UserError: the checkpoint is not fine-tuned for the folder's task and labels.
    """
    state, kind = loaded.task_state, folder.kind
    if state.get("kind") is None or not loaded.model.heads:
        raise UserError(
            f"{checkpoint} is not fine-tuned for a task: it has no head; fine-tune it with "
            f"fairseq-train {folder.path} --task xtreme_{kind.name} --arch amber "
            f"--from-pretrained {checkpoint}"
        )
    learning = learning_of(kind)
    same_task = learning.any_task or state["task"] == folder.task
    if state["kind"] != kind.name or not same_task:
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
