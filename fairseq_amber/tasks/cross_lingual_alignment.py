"""The task ``cross_lingual_alignment``: monolingual and parallel text, prepared by
``fairseq-amber prepare``, for criterions that align languages."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from fairseq.data import Dictionary
from fairseq.tasks import register_task

from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.corpora import load_corpora
from fairseq_amber.data.alignment.corpus_source import CorpusSource
from fairseq_amber.data.alignment.dataset import AlignmentDataset
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.update_size import UpdateSize
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.tasks.collation import check_token_types, collater
from fairseq_amber.tasks.cross_lingual_config import (
    CrossLingualAlignmentConfig,
    check_settings,
    data_folders,
    warn_of_unread,
)
from fairseq_amber.tasks.hydra_settings import check_task_settings
from fairseq_amber.tasks.model_loading import check_model
from fairseq_amber.tasks.planned_task import PlannedTask
from fairseq_amber.tasks.points_and_links import document_frequencies
from fairseq_amber.tasks.read_corpora import names_in, read_corpora
from fairseq_amber.tasks.retrieval_validation import RetrievalValidation
from fairseq_amber.tasks.text_checks import warn_of_lost_text
from fairseq_amber.tokenizers.dictionary import (
    check_same_dictionary,
    check_trained_with,
    fingerprint,
    load_dictionary,
)

logger = logging.getLogger(__name__)


@register_task("cross_lingual_alignment", dataclass=CrossLingualAlignmentConfig)
class CrossLingualAlignmentTask(PlannedTask):
    """Trains on any number of languages and pairs. Every update has every corpus by its share, as
    far as its size allows.

    Attributes:
        needs: what the criterion needs of a batch.
    """

    cfg: CrossLingualAlignmentConfig
    length_flag = "--tokens-per-sample"
    cost_note = " (a pair's tokens count once for every pass over it)"

    def __init__(self, cfg: CrossLingualAlignmentConfig, dictionary: Dictionary):
        super().__init__(cfg, dictionary, cfg.tokens_per_sample)
        self.needs = Needs()
        self._retrieval = RetrievalValidation(cfg.validate_retrieval, cfg.pairs, dictionary)
        self._train_shards: list[AlignmentDataset] = []
        self._checked: set[AlignmentDataset] = set()  # datasets whose lost text is reported
        self._follows = False  # --update-freq is ours
        self._idf: dict[str, np.ndarray] | None = None

    @classmethod
    @exit_clearly
    def setup_task(cls, cfg: CrossLingualAlignmentConfig, **kwargs: Any):
        """Reads the dictionary.

        Raises:
            UserError: a setting is out of its range, a folder has no dictionary, or the folders
                have different dictionaries.
        """
        check_task_settings(cfg)
        check_settings(cfg)
        first, *others = data_folders(cfg)
        dictionary = load_dictionary(first)
        for other in others:
            load_dictionary(other)
            check_same_dictionary(first / "dict.txt", other / "dict.txt")
        logger.info("dictionary: %s symbols", f"{len(dictionary):,}")
        return cls(cfg, dictionary)

    @classmethod
    def takes(cls, criterion: type) -> bool:
        """Returns whether a criterion says what its batches must hold."""
        return hasattr(criterion, "needs")

    @exit_clearly
    def build_model(self, cfg, from_checkpoint=False):
        """Builds the model, whose positions also limit the length of a row.

        Raises:
            UserError: rows of two segments are asked for, and the model has no token types; or see
                the base class.
        """
        self.model = super().build_model(cfg, from_checkpoint)
        self.max_length = min(self.cfg.tokens_per_sample, self.model.max_positions())
        check_token_types(self.cfg, self.model)
        return self.model

    @exit_clearly
    def build_criterion(self, cfg):
        """Builds the criterion and asks it what its batches must hold.

        Raises:
            UserError: the criterion belongs to another task, every term has weight 0, the
                settings of masking fit no term, or the initial encoder is no whole checkpoint.
        """
        initial = getattr(cfg, "anchor_checkpoint", None)
        if initial and Path(initial).is_file():  # the criterion knows what a missing one means
            check_model(initial)
        self.criterion = super().build_criterion(cfg)
        self.needs = self.criterion.needs
        if not (self.needs.mlm or self.needs.pairs):
            raise UserError("every term of the criterion has weight 0: nothing would be learned")
        if self.cfg.mask_prob == 0 and (self.needs.mlm or self.needs.tlm):
            raise UserError(
                "--mask-prob 0 leaves nothing to predict: raise it, or set --mlm-weight and "
                "--tlm-weight to 0"
            )
        if self.cfg.whole_word_masking and not (self.needs.mlm or self.needs.tlm):
            raise UserError("--whole-word-masking has no effect: no term masks tokens; drop it")
        warn_of_unread(self.cfg, self.needs)
        return self.criterion

    def optimizer_step(self, optimizer, model, update_num):
        """Updates the model, then the state that the criterion derives from the model's weights."""
        super().optimizer_step(optimizer, model, update_num)
        if hasattr(self.criterion, "after_update"):
            self.criterion.after_update()

    @exit_clearly
    def load_dataset(self, split: str, combine: bool = False, epoch: int = 1, **kwargs: Any):
        """Opens a split of every wanted corpus.

        Of n data folders, epoch e trains on folder (e - 1) mod n. All folders are opened at the
        start. Other splits are those of the first folder; with ``--disable-validation`` they are
        not opened in training.

        Raises:
            UserError: a language or pair is unknown, a corpus is damaged or has another dictionary,
                the data folder has no text for the criterion's terms, or no pairs to measure
                retrieval on.
        """
        folders = data_folders(self.cfg)
        if split != self.cfg.train_subset:
            # fairseq-train asks for the validation text even if it is disabled.
            training = getattr(self.criterion, "training", False)
            if self.cfg.disable_validation and training:
                return
            self.datasets[split] = self._open(folders[0], split)
            # fairseq-validate does not choose a checkpoint.
            best_metric = self.cfg.best_checkpoint_metric if training else ""
            self._retrieval.open(folders[0], split, best_metric)
            return
        if not self._train_shards:
            self._train_shards = [self._open(folder, split) for folder in folders]
        shard = (epoch - 1) % len(folders)
        if len(folders) > 1:
            logger.info("epoch %d trains on %s", epoch, folders[shard])
        self.datasets[split] = self._train_shards[shard]

    def _open(self, data: Path, split: str) -> AlignmentDataset:
        corpora = read_corpora(self.cfg, data, split, self.needs, self.dictionary, self.max_length)
        return AlignmentDataset(corpora, self._collater(), self.max_length)

    def _collater(self) -> Collater:
        points = self.needs.points
        idf = self._document_frequencies() if points is not None and points.idf else None
        return collater(self.cfg, self.needs, self.dictionary, idf)

    def _document_frequencies(self) -> dict[str, np.ndarray]:
        """Returns inverse document frequencies by language. They come from the training text of all
        folders and serve every split."""
        if self._idf is None:
            corpora = []
            for data in data_folders(self.cfg):
                pairs = names_in(self.cfg, data, "parallel")
                split = self.cfg.train_subset
                corpora += load_corpora(data, split, [], pairs, self.dictionary, combine=True)
            self._idf = document_frequencies(corpora, len(self.dictionary))
        return self._idf

    def epoch_sources(self, dataset, *, epoch, max_tokens, max_positions) -> list[CorpusSource]:
        """Returns the usable examples of each corpus; see the base class.

        Raises:
            UserError: a kind of text that the criterion needs has no usable example, or a
                micro-batch or an update cannot hold the longest example of a later epoch.
        """
        if not isinstance(dataset, AlignmentDataset):
            raise UserError(f"cross_lingual_alignment cannot batch a {type(dataset).__name__}")
        length = self.max_length
        # fairseq puts --max-tokens among the limits of a row, which would cut text unasked.
        if isinstance(max_positions, int) and (max_tokens is None or max_positions < max_tokens):
            length = min(length, max_positions)
        if dataset is self.datasets.get(self.cfg.train_subset):
            # An error in a later epoch's or in the validation text is reported at the start.
            for other in (*self._train_shards, *self.datasets.values()):
                if other is not dataset and other not in self._checked:
                    sources = self._sources(other, length)
                    if other in self._train_shards:
                        self.check_longest(sources, max_tokens)
                        self.check_longest(sources, self.cfg.update_tokens, "--update-tokens")
        else:
            self._retrieval.begin(self._split_name(dataset), self.max_length, max_tokens)
        dataset.set_epoch(epoch)
        return self._sources(dataset, length)

    def update_size(self, sources, epoch: int, ranks: int) -> UpdateSize:
        """Returns the size of an update; see the base class.

        Raises:
            UserError: the size is stated twice, or an update cannot hold the longest example.
        """
        tokens, examples = self.cfg.update_tokens, self.cfg.update_examples
        if tokens is None and examples is None:
            return super().update_size(sources, epoch, ranks)
        flag = "--update-tokens" if examples is None else "--update-examples"
        given = self.cfg.update_freq
        steps = {given} if isinstance(given, int) else set(given)
        if not self._follows and steps != {1}:
            raise UserError(f"{flag} and --update-freq: the second follows from the first; drop it")
        self._follows = True
        if tokens is not None:
            self.check_longest(sources, tokens, flag)
        return UpdateSize(tokens=tokens, examples=examples)

    def sampling(self) -> tuple[float, float]:
        """Returns the exponent and the share of pairs of the settings."""
        return self.cfg.multilang_sampling_alpha, self.cfg.parallel_share

    def valid_step(self, sample, model, criterion):
        """Computes the loss of a batch, and before the first batch of a split the retrieval
        accuracy."""
        self._retrieval.measure(model)
        return super().valid_step(sample, model, criterion)

    def reduce_metrics(self, logging_outputs, criterion):
        """Logs the criterion's values, and in validation the retrieval accuracy."""
        super().reduce_metrics(logging_outputs, criterion)
        if not criterion.training:
            self._retrieval.log()

    def _sources(self, dataset: AlignmentDataset, length: int) -> list[CorpusSource]:
        """Returns the usable examples of each corpus, and reports the lost text once."""
        dataset.max_length = length
        sources = dataset.sources()
        if dataset not in self._checked:
            self._checked.add(dataset)
            warn_of_lost_text(dataset, self._split_name(dataset))
        training = dataset in self._train_shards
        usable = {source.parallel for source in sources}
        for parallel in {corpus.parallel for corpus in dataset.corpora} - usable:
            names = ", ".join(c.name for c in dataset.corpora if c.parallel is parallel)
            if training or not usable:
                raise UserError(
                    f"no {self._split_name(dataset)} example of {names} can be used: all are empty "
                    f"or longer than {length} tokens; correct the text, or raise "
                    "--tokens-per-sample and --max-positions"
                )
        return sources

    def _split_name(self, dataset: AlignmentDataset) -> str:
        names = [name for name, other in self.datasets.items() if other is dataset]
        return names[0] if names else self.cfg.train_subset

    def state_dict(self):
        """Returns what every checkpoint keeps of the task: a fingerprint of the dictionary."""
        return {"dictionary": fingerprint(self.dictionary)}

    @exit_clearly
    def load_state_dict(self, state_dict) -> None:
        """Checks that a checkpoint was trained with this task's dictionary.

        Raises:
            UserError: the checkpoint was trained with another dictionary.
        """
        check_trained_with(
            self.dictionary,
            state_dict.get("dictionary"),
            path=data_folders(self.cfg)[0] / "dict.txt",
            checkpoint="the checkpoint",
            remedy="give the data folder of its own run",
        )
