"""The fairseq tasks ``xtreme_<kind>``, one for each registered kind of fine-tuning task.

A model is fine-tuned on a prepared task (``fairseq-amber prepare-task``), usually in one language,
and then used in all languages.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import torch
from fairseq import metrics
from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from fairseq.tasks import register_task

from fairseq_amber.data.draws import ExampleSource
from fairseq_amber.data.finetuning.gold import Gold
from fairseq_amber.data.finetuning.kinds import KINDS, Kind
from fairseq_amber.data.finetuning.learning import Decoding, Learning, learning_of
from fairseq_amber.data.finetuning.settings import RowSettings, XtremeConfig
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.plan import by_length_within_updates
from fairseq_amber.errors import UserError, exit_clearly, warn
from fairseq_amber.tasks.hydra_settings import check_task_settings
from fairseq_amber.tasks.planned_task import PlannedTask
from fairseq_amber.tasks.xtreme_checkpoints import check_origin, check_pretrained, check_start
from fairseq_amber.tokenizers.dictionary import fingerprint, load_dictionary

logger = logging.getLogger(__name__)


class XtremeTask(PlannedTask):
    """Fine-tuning on one kind of task; the model gets a head for it.

    Validation logs the task's own scores, in percent, beside the loss.

    Attributes:
        kind: the kind of task.
        folder: the prepared task.
        learning: the rows, predictions and scores of the kind.
    """

    kind: Kind
    cfg: XtremeConfig
    length_flag = "--max-length"

    def __init__(self, cfg: XtremeConfig, folder: TaskFolder, dictionary: Dictionary):
        super().__init__(cfg, dictionary, cfg.max_length)
        self.folder = folder
        self.learning: Learning = learning_of(self.kind)
        self._gold: dict[tuple[str, str], Gold] = {}  # by split and language

    @classmethod
    @exit_clearly
    def setup_task(cls, cfg: XtremeConfig, **kwargs: Any):
        """Opens the folder of the prepared task.

        Raises:
            UserError: the folder is not a prepared task, its task is of another kind, or its
                labels.txt was changed.
        """
        check_task_settings(cfg)
        folder = TaskFolder.open(cfg.data)
        if folder.kind != cls.kind:
            raise UserError(
                f"{cfg.data} holds {folder.task}: give --task xtreme_{folder.kind.name} and "
                f"--criterion xtreme_{folder.kind.name}"
            )
        folder.check_labels()
        dictionary = load_dictionary(Path(cfg.data))
        labels = f", {len(folder.labels)} labels" if folder.labels else ""
        logger.info("%s (%s%s)", folder.task, folder.kind.name, labels)
        return cls(cfg, folder, dictionary)

    @classmethod
    def takes(cls, criterion: type) -> bool:
        """Returns whether a criterion is of the task's kind."""
        return getattr(criterion, "kind", None) == cls.kind

    @exit_clearly
    def build_model(self, cfg, from_checkpoint=False):
        """Builds the model and its head. A row gets no longer than the model has positions.

        Raises:
            UserError: the architecture is not one of this package, or the checkpoint that the run
                begins from is missing, or has another dictionary or other labels; or the worst
                checkpoint would be kept as the best.
        """
        if not (from_checkpoint or self.cfg.disable_validation):
            self._check_best_metric()
        self.model = super().build_model(cfg, from_checkpoint)
        positions = self.model.max_positions()
        if self.cfg.max_length > positions:
            warn(
                f"--max-length {self.cfg.max_length}: rows have {positions} tokens at most, as the "
                "model has no more positions"
            )
        self.max_length = min(self.cfg.max_length, positions)
        if not from_checkpoint and distributed_utils.get_global_rank() == 0:
            head = self.learning.dataset.head
            check_start(self.cfg, self.dictionary, self.state_dict(), head, self.max_length)
            if self.pretrained is not None:
                labels = self.folder.labels
                check_pretrained(self.pretrained, self.cfg.data, labels, head, self.max_length)
        return self.model

    def with_head(self, model: Any) -> Any:
        """Adds the head of the kind of task, with an output for each label."""
        model.add_head(self.learning.dataset.head, self.learning.outputs(self.folder.labels))
        return model

    def _check_best_metric(self) -> None:
        """Raises UserError if ``--best-checkpoint-metric`` is sought in the wrong direction."""
        metric, maximize = self.cfg.best_checkpoint_metric, self.cfg.maximize_best_checkpoint_metric
        if metric in self.learning.gold.logged and not maximize:
            remedy = "is higher where it is better: add --maximize-best-checkpoint-metric"
        elif metric == "loss" and maximize:
            remedy = "is lower where it is better: leave --maximize-best-checkpoint-metric out"
        else:
            return
        raise UserError(
            f"--best-checkpoint-metric {metric} {remedy}, or the worst is kept as the best"
        )

    @exit_clearly
    def build_criterion(self, cfg):
        """Builds the criterion.

        Raises:
            UserError: the criterion belongs to another task.
        """
        self.criterion = super().build_criterion(cfg)
        return self.criterion

    @exit_clearly
    def load_dataset(self, split: str, combine: bool = False, epoch: int = 1, **kwargs: Any):
        """Opens a split in the languages asked for. In training with ``--disable-validation`` only
        the training split is opened.

        Raises:
            UserError: a language has no such split, its answers cannot be scored, or
                ``--max-length`` is too short.
        """
        # The criterion of fairseq-validate is not in training mode.
        is_training_run = getattr(self.criterion, "training", False)
        training = split == self.cfg.train_subset and is_training_run
        # fairseq-train asks for the other splits all the same.
        if self.cfg.disable_validation and is_training_run and not training:
            return
        languages = self._languages(split, scored=not training)
        settings = self._row_settings()
        data = self.learning.dataset(self.folder, split, languages, settings, training=training)
        if not len(data):
            raise UserError(f"{self.folder.path} has no {split} example in {', '.join(languages)}")
        logger.info("%s %s: %s examples", split, ",".join(languages), f"{len(data):,}")
        self.datasets[split] = data

    def _languages(self, split: str, *, scored: bool) -> list[str]:
        """Returns the languages of a split that the flags name, and checks them."""
        training = split == self.cfg.train_subset
        flag = "--train-languages" if training else "--valid-languages"
        wanted = self.cfg.train_languages if training else self.cfg.valid_languages
        names = [name for name in map(str.strip, wanted.split(",")) if name]
        if not names:
            raise UserError(f"{flag} {wanted!r} names no language")
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise UserError(f"{flag} {wanted}: {', '.join(twice)} twice; name each language once")
        available_languages = self.folder.languages(split)
        missing = [name for name in names if name not in available_languages]
        if missing:
            other = (
                "" if split != "valid" else ", or train without validation by --disable-validation"
            )
            raise UserError(
                f"{flag} {wanted}: {self.folder.path} has no {split} examples in "
                f"{', '.join(missing)} (it has "
                f"{', '.join(available_languages) or 'none'}); add them with "
                f"fairseq-amber prepare-task{other}"
            )
        if scored:
            self.learning.check_languages(self.folder.task, names, flag)
        return names

    def _row_settings(self) -> RowSettings:
        values = {name: getattr(self.cfg, name) for name in self.learning.row_settings}
        values["max_length"] = self.max_length
        types = self.model.encoder.sentence_encoder.embed_segments is not None
        return RowSettings.of(Specials.of(self.dictionary), values, types)

    def epoch_sources(self, dataset, *, epoch, max_tokens, max_positions) -> list[ExampleSource]:
        """Returns all examples of a dataset as one source; see the base class.

        For updates of random examples each counts as long as the longest one, so that the sampler,
        which puts examples of similar length together, makes no difference between them.
        """
        costs = dataset.sizes
        if self._is_random(dataset):
            costs = np.full_like(costs, costs.max())
        return [ExampleSource(costs)]

    def arranged(self, plan, dataset):
        """Shares out the random examples of each update among its micro-batches by length."""
        if self._is_random(dataset):
            plan.updates = by_length_within_updates(plan.updates, dataset.sizes)
        return plan

    def _is_random(self, dataset) -> bool:
        training = dataset is self.datasets.get(self.cfg.train_subset)
        return training and self.cfg.batch_order == "random"

    def valid_step(self, sample, model, criterion):
        """Computes the loss of a batch, and the sums from which the task's scores are computed."""
        model.eval()
        with torch.no_grad():
            scores = criterion.scores(model, sample)
            loss, sample_size, logged = criterion.loss(scores, sample)
            sums = self._sums(sample, scores)
        real = int(not sample["filler"])
        logged.update({f"_{name}": real * value for name, value in sums.items()})
        return loss, sample_size, logged

    def _sums(self, sample: dict[str, Any], scores: torch.Tensor) -> dict[str, float]:
        """Sums what the predictions from the head's scores add to the task's scores, by name."""
        data, learning = self.datasets[sample["split"]], self.learning
        chosen = learning.choose(scores, sample, Decoding())
        predictions = learning.predictions(chosen, sample, self.folder.labels)
        locations = map(data.locate, sample["id"].tolist())
        answers = [self._gold_of(data.split, language).answers[i] for language, i in locations]
        scored = [i for i, answer in enumerate(answers) if answer is not None]
        sums = learning.gold.count([predictions[i] for i in scored], [answers[i] for i in scored])
        return dict(zip(learning.gold.sum_names, sums))

    def _gold_of(self, split: str, language: str) -> Gold:
        gold_key = split, language
        if gold_key not in self._gold:
            self._gold[gold_key] = self.learning.gold(self.folder, split, language)
        return self._gold[gold_key]

    def reduce_metrics(self, logging_outputs, criterion):
        """Logs the loss and, in validation, the scores."""
        super().reduce_metrics(logging_outputs, criterion)
        gold = self.learning.gold
        names = [f"_{name}" for name in gold.sum_names]
        if not all(name in output for output in logging_outputs for name in names):
            return
        for name in names:
            metrics.log_scalar_sum(name, sum(float(output[name]) for output in logging_outputs))
        for score in gold.logged:
            metrics.log_derived(score, _of_sums(gold, score, names), priority=5)

    def state_dict(self):
        """Returns the state that every checkpoint keeps: the task, its labels, and the dictionary's
        fingerprint."""
        return {
            "dictionary": fingerprint(self.dictionary),
            "task": self.folder.task,
            "kind": self.kind.name,
            "labels": self.folder.labels,
        }

    @exit_clearly
    def load_state_dict(self, state_dict) -> None:
        """Checks that a checkpoint belongs to this task.

        Raises:
            UserError: the checkpoint was trained with another dictionary or other labels.
        """
        with_head = state_dict.get("kind") == self.kind.name
        check_origin(
            state_dict,
            self.dictionary,
            self.state_dict(),
            "the checkpoint",
            self.cfg.data,
            with_head=with_head,
        )


def _of_sums(gold: type[Gold], score: str, names: Sequence[str]) -> Callable[[Any], float]:
    """Makes a function from fairseq's meters, which hold the sums by their names, to one score."""
    return lambda meters: round(gold.scores(*(meters[name].sum for name in names))[score], 4)


def register_xtreme_task(kind: Kind) -> None:
    """Registers ``xtreme_<kind>`` with fairseq."""
    name = f"xtreme_{kind.name}"
    task = type(f"Xtreme{kind.name.title()}Task", (XtremeTask,), {"kind": kind})
    register_task(name, dataclass=learning_of(kind).config)(task)


for _kind in KINDS.values():
    register_xtreme_task(_kind)
