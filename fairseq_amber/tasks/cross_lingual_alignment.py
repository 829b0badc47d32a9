"""The task ``cross_lingual_alignment``: monolingual and parallel text, prepared by
``fairseq-amber prepare``, for criterions that align languages."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from fairseq.data import Dictionary, iterators
from fairseq.tasks import FairseqTask, register_task

from fairseq_amber.data.alignment_dataset import AlignmentDataset, Needs
from fairseq_amber.data.corpora import available, load_corpora
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.masking import MaskingRates
from fairseq_amber.data.sampling import BatchLimits, plan_epoch, plan_validation
from fairseq_amber.errors import UserError, exit_clearly
from fairseq_amber.tasks.config import CrossLingualAlignmentConfig, check, of_epoch

logger = logging.getLogger(__name__)


@register_task("cross_lingual_alignment", dataclass=CrossLingualAlignmentConfig)
class CrossLingualAlignmentTask(FairseqTask):
    """Any number of languages and pairs; every micro-batch from one corpus, every rank the same
    kind of text at the same step."""

    cfg: CrossLingualAlignmentConfig

    def __init__(self, cfg: CrossLingualAlignmentConfig, dictionary: Dictionary):
        super().__init__(cfg)
        self.dictionary = dictionary
        self.needs = Needs()

    @classmethod
    @exit_clearly
    def setup_task(cls, cfg: CrossLingualAlignmentConfig, **kwargs: Any):
        """Reads the dictionary.

        Raises:
            UserError: a setting is out of its range, or the folder holds no dictionary.
        """
        check(cfg)
        path = Path(cfg.data) / "dict.txt"
        if not path.is_file():
            raise UserError(
                f"{path} is missing: make the folder with `fairseq-amber prepare RAW {cfg.data}`"
            )
        dictionary = Dictionary.load(str(path))
        dictionary.add_symbol("<mask>")
        logger.info("dictionary: %s symbols", f"{len(dictionary):,}")
        return cls(cfg, dictionary)

    @property
    def source_dictionary(self) -> Dictionary:
        """The one dictionary of all languages, ``<mask>`` included."""
        return self.dictionary

    @property
    def target_dictionary(self) -> Dictionary:
        """The same."""
        return self.dictionary

    def max_positions(self) -> int:
        """Longest row in subwords."""
        return self.cfg.tokens_per_sample

    def build_criterion(self, cfg):
        """Builds the criterion and asks it what its batches must hold."""
        criterion = super().build_criterion(cfg)
        if hasattr(criterion, "needs"):
            self.needs = Needs(**criterion.needs)
        return criterion

    @exit_clearly
    def load_dataset(self, split: str, combine: bool = False, **kwargs: Any) -> None:
        """Opens a split of every wanted corpus.

        Raises:
            UserError: an unknown language or pair, a corpus of another dictionary, or no text at
                all for the criterion's terms.
        """
        data = Path(self.cfg.data)
        languages = available(data, "mono", self.cfg.languages) if self.needs.mlm else []
        pairs = []
        if self.needs.tlm or self.needs.alignment:
            pairs = available(data, "parallel", self.cfg.pairs)
        corpora = load_corpora(data, split, languages, pairs, self.dictionary)
        if not corpora:
            raise UserError(
                f"{data} has no {split} text for this criterion (languages: "
                f"{', '.join(languages) or 'none'}; pairs: {', '.join(pairs) or 'none'})"
                + ("; train without validation by --disable-validation" if split == "valid" else "")
            )
        if split == "train" and (self.needs.tlm or self.needs.alignment):
            if not any(corpus.parallel for corpus in corpora):
                raise UserError(
                    f"{data}/parallel has no {split} text, which TLM, WA and SA need: add pairs, "
                    "or train on sentences alone with --tlm-weight 0 --wa-weight 0 --sa-weight 0"
                )
        for corpus in corpora:
            logger.info("%s %s: %s examples", split, corpus.name, f"{len(corpus):,}")
        self.datasets[split] = AlignmentDataset(
            corpora,
            Specials.of(self.dictionary),
            random_range=(self.dictionary.nspecial, self.dictionary.index("<mask>")),
            needs=self.needs,
            rates=MaskingRates(
                self.cfg.mask_prob, self.cfg.leave_unmasked_prob, self.cfg.random_token_prob
            ),
            max_length=self.cfg.tokens_per_sample,
            seed=self.cfg.seed,
        )

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
        """The micro-batches of one epoch, planned by ``data.sampling``; see the base class."""
        if not isinstance(dataset, AlignmentDataset):
            raise UserError(f"cross_lingual_alignment cannot batch a {type(dataset).__name__}")
        if isinstance(max_positions, int):
            dataset.max_length = min(dataset.max_length, max_positions)
        dataset.set_epoch(epoch)
        sources = dataset.sources()
        for name, count in dataset.dropped.items():
            if count:
                logger.warning(
                    "%s: %s pairs longer than %d tokens are left out",
                    name,
                    f"{count:,}",
                    dataset.max_length,
                )
        longest = max(int(source.costs.max()) for source in sources)
        if max_tokens is not None and longest > max_tokens:
            raise UserError(
                f"--max-tokens {max_tokens} is less than the longest example needs, {longest} "
                "(a pair's tokens count once for every pass over it): raise it, or lower "
                "--tokens-per-sample"
            )
        limits = BatchLimits(max_tokens, max_sentences, required_batch_size_multiple)
        if dataset is self.datasets.get("train"):
            batches = plan_epoch(
                sources,
                limits,
                alpha=self.cfg.multilang_sampling_alpha,
                parallel_share=self.cfg.parallel_share,
                world=num_shards,
                update_freq=of_epoch(self.cfg.update_freq, epoch),
                seed=(seed, epoch),
            )
        else:
            batches = plan_validation(sources, limits, world=num_shards)
        return iterators.EpochBatchIterator(
            dataset=dataset,
            collate_fn=dataset.collater,
            batch_sampler=batches,
            seed=seed,
            num_shards=num_shards,
            shard_id=shard_id,
            num_workers=num_workers,
            epoch=epoch,
            buffer_size=data_buffer_size,
            skip_remainder_batch=skip_remainder_batch,
            disable_shuffling=True,  # the plan is in its final order
        )

    def state_dict(self):
        """Kept in every checkpoint: a fingerprint of the dictionary."""
        return {"dictionary": _fingerprint(self.dictionary)}

    @exit_clearly
    def load_state_dict(self, state_dict) -> None:
        """Checks that a checkpoint belongs to this task's dictionary.

        Raises:
            UserError: it does not.
        """
        theirs = state_dict.get("dictionary")
        if theirs is not None and theirs != _fingerprint(self.dictionary):
            raise UserError(
                f"{self.cfg.data}/dict.txt is not the dictionary that the checkpoint was trained "
                "with: give the data folder of its own run"
            )


def _fingerprint(dictionary: Dictionary) -> str:
    return hashlib.sha256("\n".join(dictionary.symbols).encode()).hexdigest()
