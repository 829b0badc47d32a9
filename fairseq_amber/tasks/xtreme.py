"""The tasks ``xtreme_tagging``, ``xtreme_classification`` and ``xtreme_qa``: a model is fine-tuned
on a prepared task (``fairseq-amber prepare-task``), in one language, for use in all."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from fairseq import metrics
from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils
from fairseq.tasks import register_task

from fairseq_amber.data.finetuning.dataset import RowSettings, task_dataset
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.sampling import ExampleSource
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.metrics.question_answering import check_languages
from fairseq_amber.tasks.planned_task import PlannedTask
from fairseq_amber.tasks.xtreme_checkpoints import check_origin, check_start
from fairseq_amber.tasks.xtreme_config import XtremeConfig, XtremePairConfig, XtremeQaConfig
from fairseq_amber.tasks.xtreme_metrics import METRICS
from fairseq_amber.tokenizers.dictionary import fingerprint, load_dictionary

logger = logging.getLogger(__name__)

_QA_OUTPUTS = 2  # scores of being the first and the last token of the answer


class XtremeTask(PlannedTask):
    """A kind of XTREME's tasks; the model gets a head for it.

    Validation logs the task's own scores, in percent, beside the loss.
    """

    kind: str
    cfg: XtremeConfig
    length_flag = "--max-length"

    def __init__(self, cfg: XtremeConfig, folder: TaskFolder, dictionary: Dictionary):
        super().__init__(cfg, dictionary, cfg.max_length)
        self.folder = folder

    @classmethod
    @exit_clearly
    def setup_task(cls, cfg: XtremeConfig, **kwargs: Any):
        """Opens the folder.

        Raises:
            UserError: it is no prepared task, or one of another kind.
        """
        folder = TaskFolder.open(cfg.data)
        if folder.kind != cls.kind:
            raise UserError(
                f"{cfg.data} holds {folder.task}: give --task xtreme_{folder.kind} and "
                f"--criterion xtreme_{folder.kind}"
            )
        dictionary = load_dictionary(Path(cfg.data))
        labels = f", {len(folder.labels)} labels" if folder.labels else ""
        logger.info("%s (%s%s)", folder.task, folder.kind, labels)
        return cls(cfg, folder, dictionary)

    @exit_clearly
    def build_model(self, cfg, from_checkpoint=False):
        """Builds the model and its head; the model's positions also limit the length of a row.

        Raises:
            UserError: another architecture than this package's, or the checkpoint that the run
                begins from is missing, or of another dictionary, or of other labels.
        """
        self.model = super().build_model(cfg, from_checkpoint)
        if not hasattr(self.model, "add_head"):
            raise UserError(f"--arch {cfg._name} has no heads: give amber_base or one of its kin")
        self.model.add_head(self.kind, len(self.folder.labels) or _QA_OUTPUTS)
        positions = self.model.max_positions()
        if self.cfg.max_length > positions:
            logger.warning("rows of %d tokens, as the model has no more positions", positions)
        self.max_length = min(self.cfg.max_length, positions)
        if not from_checkpoint and distributed_utils.get_global_rank() == 0:
            check_start(self.cfg, self.state_dict())
        return self.model

    @exit_clearly
    def build_criterion(self, cfg):
        """Builds the criterion.

        Raises:
            UserError: it belongs to another task.
        """
        self.criterion = super().build_criterion(cfg)
        if getattr(self.criterion, "head", None) != self.kind:
            raise UserError(f"--task xtreme_{self.kind} takes --criterion xtreme_{self.kind}")
        return self.criterion

    @exit_clearly
    def load_dataset(self, split: str, combine: bool = False, epoch: int = 1, **kwargs: Any):
        """Opens a split of the wanted languages; with ``--disable-validation`` in training the
        training split alone.

        Raises:
            UserError: a language has no such split, or validation has no rules to score it by, or
                ``--max-length`` is too short.
        """
        fitting = getattr(self.criterion, "training", False)  # fairseq-validate's is not
        training = split == self.cfg.train_subset and fitting
        # fairseq-train asks for the others all the same.
        if self.cfg.disable_validation and fitting and not training:
            return
        languages = self._languages(split, scored=not training)
        settings = self._row_settings()
        data = task_dataset(self.folder, split, languages, settings, training=training)
        if not len(data):
            raise UserError(f"{self.folder.path} has no {split} example in {', '.join(languages)}")
        logger.info("%s %s: %s examples", split, ",".join(languages), f"{len(data):,}")
        self.datasets[split] = data

    def _languages(self, split: str, *, scored: bool) -> list[str]:
        training = split == self.cfg.train_subset
        flag = "--train-languages" if training else "--valid-languages"
        wanted = self.cfg.train_languages if training else self.cfg.valid_languages
        names = [name for name in map(str.strip, wanted.split(",")) if name]
        if not names:
            raise UserError(f"{flag} {wanted!r} names no language")
        there = self.folder.languages(split)
        missing = [name for name in names if name not in there]
        if missing:
            other = (
                "" if split != "valid" else ", or train without validation by --disable-validation"
            )
            raise UserError(
                f"{flag} {wanted}: {self.folder.path} has no {split} examples in "
                f"{', '.join(missing)} (it has {', '.join(there) or 'none'}); add them with "
                f"fairseq-amber prepare-task{other}"
            )
        if scored:
            check_languages(self.folder.task, names, flag)
        return names

    def _row_settings(self) -> RowSettings:
        return RowSettings(Specials.of(self.dictionary), self.max_length)

    def epoch_sources(self, dataset, *, epoch, max_tokens, max_positions) -> list[ExampleSource]:
        """All examples of a dataset; see the base class."""
        return [ExampleSource(dataset.sizes)]

    def valid_step(self, sample, model, criterion):
        """The loss of a batch and the sums that its scores are made of."""
        model.eval()
        metric = METRICS[self.kind]
        with torch.no_grad():
            scores = criterion.scores(model, sample)
            loss, sample_size, logged = criterion.loss(scores, sample)
            sums = metric.sums(self.datasets[sample["split"]], sample, scores)
        real = int(not sample["filler"])
        logged.update({f"_{name}": real * value for name, value in zip(metric.names, sums)})
        return loss, sample_size, logged

    def reduce_metrics(self, logging_outputs, criterion):
        """Logs the loss, and of validation the scores."""
        super().reduce_metrics(logging_outputs, criterion)
        metric = METRICS[self.kind]
        names = [f"_{name}" for name in metric.names]
        if not all(name in output for output in logging_outputs for name in names):
            return
        for name in names:
            metrics.log_scalar_sum(name, sum(float(output[name]) for output in logging_outputs))
        for name, score in metric.scores.items():
            metrics.log_derived(name, _of_sums(score, names), priority=5)

    def state_dict(self):
        """Kept in every checkpoint: what is predicted, and a fingerprint of the dictionary."""
        return {
            "dictionary": fingerprint(self.dictionary),
            "task": self.folder.task,
            "kind": self.folder.kind,
            "labels": self.folder.labels,
        }

    @exit_clearly
    def load_state_dict(self, state_dict) -> None:
        """Checks that a checkpoint belongs to this task.

        Raises:
            UserError: it was trained with another dictionary or other labels.
        """
        with_head = state_dict.get("kind") == self.kind
        check_origin(state_dict, self.state_dict(), "the checkpoint", self.cfg.data, with_head)


def _of_sums(score, names):
    return lambda meters: round(score(*(meters[name].sum for name in names)), 4)


class _PairTask(XtremeTask):
    """Rows of two parts."""

    cfg: XtremePairConfig

    def _row_settings(self) -> RowSettings:
        types = self.model.encoder.sentence_encoder.embed_segments
        return (
            super()
            ._row_settings()
            ._replace(
                segments=self.cfg.pair_segments == "auto" and types is not None,
                reset_positions=self.cfg.pair_positions == "reset",
            )
        )


@register_task("xtreme_tagging", dataclass=XtremeConfig)
class XtremeTaggingTask(XtremeTask):
    """Labels of words: UD POS, PAN-X NER."""

    kind = "tagging"


@register_task("xtreme_classification", dataclass=XtremePairConfig)
class XtremeClassificationTask(_PairTask):
    """Labels of sentence pairs: XNLI, PAWS-X."""

    kind = "classification"


@register_task("xtreme_qa", dataclass=XtremeQaConfig)
class XtremeQaTask(_PairTask):
    """Spans that answer questions: SQuAD, MLQA, TyDiQA-GoldP."""

    kind = "qa"
    cfg: XtremeQaConfig

    def _row_settings(self) -> RowSettings:
        return (
            super()
            ._row_settings()
            ._replace(doc_stride=self.cfg.doc_stride, max_query_length=self.cfg.max_query_length)
        )
