"""Tasks that have one dictionary, a longest row, and epochs that are planned ahead."""

from __future__ import annotations

import copy
from typing import Any, Sequence

from fairseq.data import Dictionary

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.draws import Source
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.plan import EpochPlan
from fairseq_amber.data.plan_iterator import PlanIterator
from fairseq_amber.data.sampling import plan_epoch, plan_validation
from fairseq_amber.data.update_size import UpdateSize
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.tasks.encoder_task import EncoderTask
from fairseq_amber.tasks.run_settings import whole_config


class PlannedTask(EncoderTask):
    """A task that reads and predicts the symbols of one dictionary, and plans each epoch before it
    begins (``data.sampling``), so that the batches do not depend on how ranks share them.

    Attributes:
        model: the model that was built last; None before the first.
        criterion: the criterion that was built last; None before the first.
        max_length: the longest row in subwords, special tokens included.
        length_flag: the flag that limits the length of a row, for error messages.
        cost_note: a remark on how an example's tokens are counted, for error messages.
    """

    length_flag: str
    cost_note = ""

    def __init__(self, cfg: Any, dictionary: Dictionary, max_length: int):
        super().__init__(cfg)
        self.dictionary = dictionary
        self.model: Any = None
        self.criterion: Any = None
        self.max_length = max_length
        self._measured: tuple[Any, Any] | None = None  # a training dataset and its copy

    @property
    def source_dictionary(self) -> Dictionary:
        """The dictionary of all languages, ``<mask>`` included."""
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """The same dictionary as ``source_dictionary``."""
        return self.dictionary

    @property
    def mask_idx(self) -> int:
        """The id of ``<mask>``, which fairseq's hub interface asks the task for."""
        return Specials.of(self.dictionary).mask

    def max_positions(self) -> int:
        """Returns the length of the longest row in subwords."""
        return self.max_length

    def epoch_sources(
        self, dataset: Any, *, epoch: int, max_tokens: int | None, max_positions: Any
    ) -> Sequence[Source]:
        """Prepares a dataset for an epoch.

        Args:
            dataset: one of the task's datasets.
            epoch: number of the epoch, from 1.
            max_tokens: fairseq's ``--max-tokens``.
            max_positions: the longest row that fairseq's trainer asks for.

        Returns:
            The corpora that batches are drawn from, each with at least one example.

        Raises:
            NotImplementedError: always; each task implements it.
        """
        raise NotImplementedError

    def sampling(self) -> tuple[float, float]:
        """Returns the exponent ``alpha`` and the ``parallel_share`` of
        ``data.sampling.plan_epoch``. By default corpora keep their proportions, and the data has
        one kind of text."""
        return 1.0, 0.5

    def arranged(self, plan: EpochPlan, dataset: Any) -> EpochPlan:
        """Returns the plan of a training epoch, in which a task may rearrange the examples of each
        update; by default as it is."""
        return plan

    @exit_clearly
    def post_validate(self, model: Any, stats: dict[str, Any], agg: Any) -> None:
        """Checks that a validation has the value by which the best checkpoint is chosen.

        Args:
            model: the model.
            stats: the values that the validation logs, by name.
            agg: fairseq's meters of them.

        Raises:
            UserError: it does not have ``--best-checkpoint-metric``.
        """
        whole = whole_config(self.cfg)
        metric = whole.checkpoint.best_checkpoint_metric if whole is not None else None
        if metric is not None and metric not in stats:
            raise UserError(
                f"--best-checkpoint-metric {metric}: validation has no such value; it has "
                f"{', '.join(stats)}"
            )

    def update_size(self, sources: Sequence[Source], epoch: int, ranks: int) -> UpdateSize:
        """Returns the size of an update in an epoch: by default ``--update-freq`` micro-batches on
        each rank.

        Args:
            sources: the corpora that batches are drawn from.
            epoch: number of the epoch, from 1.
            ranks: number of ranks.

        Raises:
            UserError: ``--update-freq`` is below 1.
        """
        return UpdateSize(micro_batches=ranks * update_freq_of_epoch(self.cfg.update_freq, epoch))

    @exit_clearly
    def get_batch_iterator(
        self,
        dataset,
        max_tokens=None,
        max_sentences=None,
        max_positions=None,
        ignore_invalid_inputs=False,
        required_batch_size_multiple=1,
        seed=1,
        num_shards=1,
        shard_id=0,
        num_workers=0,
        epoch=1,
        data_buffer_size=0,
        skip_remainder_batch=False,
        **kwargs: Any,
    ):
        """Returns an iterator over the micro-batches of one epoch; the arguments are those of
        fairseq's ``FairseqTask``.

        Training examples come in random batches, all others once and by length. So do those of the
        training split where they are measured (``--valid-subset train``). A validation batch may
        exceed ``max_tokens``, if a single example does.

        Raises:
            UserError: a training micro-batch cannot hold the longest example, ``--update-freq``,
                ``--batch-size`` or ``--required-batch-size-multiple`` is below 1, or the dataset
                has no usable example.
        """
        training = dataset is self.datasets.get(self.cfg.train_subset)
        if training and self._measures(kwargs):
            dataset, training = self._to_measure(dataset), False
        _check_sizes(max_sentences, required_batch_size_multiple, training)
        sources = self.epoch_sources(
            dataset, epoch=epoch, max_tokens=max_tokens, max_positions=max_positions
        )
        if training:
            self.check_longest(sources, max_tokens)
        elif max_tokens is not None:
            max_tokens = max(max_tokens, _longest(sources))
        limits = BatchLimits(max_tokens, max_sentences, required_batch_size_multiple)
        if training:
            size = self.update_size(sources, epoch, num_shards)
            alpha, parallel_share = self.sampling()
            plan = plan_epoch(
                sources,
                limits,
                size,
                alpha=alpha,
                parallel_share=parallel_share,
                world=num_shards,
                seed=(seed, epoch),
            )
            plan = self.arranged(plan, dataset)
            if size.direct:
                set_update_freq(self.cfg, plan.update_freq)
        else:
            plan = plan_validation(sources, limits, world=num_shards)
        return PlanIterator(
            plan,
            dataset=dataset,
            collate_fn=dataset.collater,
            seed=seed,
            num_shards=num_shards,
            shard_id=shard_id,
            num_workers=num_workers,
            epoch=epoch,
            buffer_size=data_buffer_size,
            skip_remainder_batch=skip_remainder_batch,
        )

    def _measures(self, settings: dict[str, Any]) -> bool:
        """Tells whether a loss on the training split is asked for rather than a step of training.

        Args:
            settings: the arguments that fairseq gives to an iterator. Its trainer gives the first
                one below for training alone, and the second one for both.
        """
        if "update_epoch_batch_itr" in settings:
            return False
        # fairseq-validate has no trainer; its criterion is not in training mode.
        return "disable_iterator_cache" in settings or not getattr(self.criterion, "training", True)

    def _to_measure(self, dataset: Any) -> Any:
        """Returns a copy of a training dataset, whose epoch is its own."""
        if self._measured is None or self._measured[0] is not dataset:
            self._measured = dataset, copy.copy(dataset)
        return self._measured[1]

    def check_longest(
        self, sources: Sequence[Source], max_tokens: int | None, flag: str = "--max-tokens"
    ) -> None:
        """Raises UserError if so many tokens, those of ``flag``, cannot hold the longest
        example."""
        if max_tokens is None:
            return
        longest = _longest(sources)
        if longest > max_tokens:
            raise UserError(
                f"{flag} {max_tokens} is less than the longest example needs, "
                f"{longest}{self.cost_note}: raise it, or lower {self.length_flag}"
            )


def update_freq_of_epoch(update_freq: Any, epoch: int) -> int:
    """Returns how many micro-batches a rank accumulates into one update in an epoch.

    Args:
        update_freq: fairseq's ``--update-freq``: one number, or one number for each epoch, of which
            the last holds for all later epochs.
        epoch: number of the epoch, from 1.

    Raises:
        UserError: the number is below 1.
    """
    values = [update_freq] if isinstance(update_freq, int) else list(update_freq)
    value = int(values[min(epoch, len(values)) - 1])
    if value < 1:
        raise UserError(f"--update-freq {value} is not 1 or more")
    return value


def _check_sizes(max_sentences: int | None, multiple: int, training: bool) -> None:
    """Raises UserError if a number of examples is below 1."""
    batch_size = "--batch-size" if training else "--batch-size-valid"
    for flag, value in ((batch_size, max_sentences), ("--required-batch-size-multiple", multiple)):
        if value is not None and value < 1:
            raise UserError(f"{flag} {value} is not 1 or more")


def set_update_freq(cfg: Any, update_freq: int) -> None:
    """Sets fairseq's ``--update-freq``, where an update's number of steps follows from its size.

    fairseq's training loop reads the number from the whole config after the task has planned the
    epoch.
    """
    whole = whole_config(cfg)
    if whole is not None:
        whole.optimization.update_freq = [update_freq]


def _longest(sources: Sequence[Source]) -> int:
    """Returns the cost of the most expensive example, in tokens."""
    return max(int(source.costs.max()) for source in sources)
