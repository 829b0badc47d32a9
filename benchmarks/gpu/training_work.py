"""The work of a training step: a corpus as long as real text, and its batches.

Batches are made by the planner and the collater of the task ``cross_lingual_alignment``; stock
fairseq's ``roberta`` trains on the same rows. All steps of a comparison read the same pairs: MLM
reads the two sentences of each pair apart, TLM reads the pair in one row, full AMBER (TLM, word
alignment, sentence alignment) in three rows, and optimal transport the sentences apart.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable, NamedTuple

import fairseq
import numpy as np
import torch
from fairseq.data import Dictionary
from omegaconf import OmegaConf
from real_lengths import begins_word, pair_lengths, zipf_tokens
from stock_training import stock_criterion, stock_model, stock_sample
from trainee import Trainee
from training_flops import Shape, forward_and_backward

import fairseq_amber  # noqa: F401  (registers the plugin)
from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.token_file import DatasetWriter, token_dtype
from fairseq_amber.models.amber import AmberConfig, AmberModel
from fairseq_amber.tasks.cross_lingual_alignment import (
    CrossLingualAlignmentConfig,
    CrossLingualAlignmentTask,
)

LONGEST = 512
_ONE_TERM = dict(mlm_weight=0.0, tlm_weight=0.0, wa_weight=0.0, sa_weight=0.0)
_FROM_SCRATCH = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")


class Kind(NamedTuple):
    """A kind of step.

    Attributes:
        flops: its name in ``training_flops``.
        criterion: makes the settings of its criterion.
    """

    flops: str
    criterion: Callable[[], Any]


def _amber(**weights: float) -> Callable[[], Any]:
    """Makes settings of the criterion ``amber`` with these weights."""
    return lambda: AmberCriterionConfig(_name="amber", **{**_ONE_TERM, **weights})


def _transport(**settings: Any) -> Callable[[], Any]:
    """Makes settings of the criterion ``ot_alignment``."""
    return lambda: TransportConfig(_name="ot_alignment", **_FROM_SCRATCH, **settings)


MLM, TLM, AMBER = "MLM", "TLM", "full AMBER"
OT, OT_PAIRS = "OT, divergence of the batch", "OT, Sinkhorn of each pair"
STOCK_MLM, STOCK_TLM = "stock MLM", "stock TLM"
KINDS = {
    AMBER: Kind("amber", _amber(tlm_weight=1.0, wa_weight=1.0, sa_weight=1.0)),
    MLM: Kind("mlm", _amber(mlm_weight=1.0)),
    TLM: Kind("tlm", _amber(tlm_weight=1.0)),
    OT: Kind("ot", _transport()),
    OT_PAIRS: Kind("ot", _transport(ot_solver="sinkhorn", ot_scope="sentence", ot_kernel="triton")),
}
STOCK = {STOCK_MLM: MLM, STOCK_TLM: TLM}


def dictionary_of(size: int) -> Dictionary:
    """A dictionary of ``size`` symbols, with ``<mask>`` and the other special symbols."""
    dictionary = Dictionary()
    for number in range(size - len(dictionary) - 1):
        dictionary.add_symbol(f"{chr(0x2581) if begins_word(number) else ''}w{number}")
    dictionary.add_symbol("<mask>")
    return dictionary


def write_corpus(folder: Path, pairs: int, dictionary: Dictionary) -> None:
    """Writes a data folder with the pairs de-en and, as monolingual text, their sides."""
    rng = np.random.default_rng(1)
    lengths = pair_lengths(pairs, rng)
    for side, language in enumerate(("de", "en")):
        ends = np.cumsum(lengths[:, side] + 1)  # each line ends in </s>
        tokens = zipf_tokens(int(ends[-1]), dictionary.nspecial, len(dictionary) - 1, rng)
        tokens[ends - 1] = dictionary.eos()
        for path in (f"mono/{language}/train", f"parallel/de-en/train.de-en.{language}"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            writer = DatasetWriter(folder / path, token_dtype(len(dictionary)))
            writer.add(tokens, lengths[:, side] + 1)
            writer.finish()
            writer.close()


def task_of(folder: Path, dictionary: Dictionary, model: Any, criterion: Any) -> Any:
    """The task on a data folder, with its training text open, for the settings of a criterion."""
    cfg = CrossLingualAlignmentConfig(
        data=str(folder),
        tokens_per_sample=LONGEST,
        seed=1,
        update_freq=[1],
        train_subset="train",
        valid_subset="valid",
        disable_validation=True,
        best_checkpoint_metric="loss",
        maximize_best_checkpoint_metric=False,
    )
    task = CrossLingualAlignmentTask(OmegaConf.structured(cfg), dictionary)
    task.model = model
    logger = logging.getLogger("fairseq_amber")
    before = logger.level
    logger.setLevel(logging.ERROR)  # the notices about the text and the anchor are known
    try:
        task.build_criterion(OmegaConf.structured(criterion))
        task.load_dataset("train")
    finally:
        logger.setLevel(before)
    return task


def typical_batches(task: Any, max_tokens: int, count: int) -> list[np.ndarray]:
    """The pairs in ``count`` micro-batches of an epoch.

    These are evenly spread over all micro-batches, from those of the shortest pairs to those of the
    longest.
    """
    plan = task.get_batch_iterator(
        task.datasets["train"], max_tokens=max_tokens, seed=1
    ).frozen_batches
    batches = sorted((np.asarray(batch.indices) for batch in plan), key=len, reverse=True)
    chosen = ((np.arange(count) + 0.5) / count * len(batches)).astype(int)
    return [batches[index] for index in chosen]


class Candidate(NamedTuple):
    """A kind of step, ready to run.

    Attributes:
        trainee: the model.
        criterion: the criterion.
        samples: the batches.
        tokens: number of tokens of the text in all samples, each counted once.
        positions: number of positions in all rows, with special tokens and padding.
        flops: floating-point operations on all samples.
    """

    trainee: Trainee
    criterion: Any
    samples: list[dict[str, Any]]
    tokens: int
    positions: int
    flops: int

    def run(self) -> None:
        """Makes one step on each sample."""
        for sample in self.samples:
            self.trainee.step(self.criterion, sample)


class Work:
    """A corpus, a shape, and the pairs that all steps read.

    Args:
        folder: the folder that ``write_corpus`` has written.
        dictionary: the dictionary of the corpus.
        settings: the shape of the encoder, in fairseq's names.
        max_tokens: tokens in a micro-batch of TLM; all steps read its pairs.
        batches: number of micro-batches that take turns.
        device: the device of the models.
    """

    def __init__(
        self,
        folder: Path,
        dictionary: Dictionary,
        settings: dict[str, Any],
        max_tokens: int,
        batches: int,
        device: torch.device,
    ):
        self.folder = folder
        self.dictionary = dictionary
        self.settings = settings
        self.device = device
        self.max_tokens = max_tokens
        names = ("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim")
        self.shape = Shape(*(settings[name] for name in names), len(dictionary))
        task = task_of(folder, dictionary, None, KINDS[TLM].criterion())
        self.batches = typical_batches(task, max_tokens, batches)
        data = task.datasets["train"]
        self.lengths = [
            np.array([[len(side) for side in data[i]["example"].sentences] for i in batch])
            for batch in self.batches
        ]

    def ours(self, precision: str) -> Trainee:
        """Our model in training."""
        torch.manual_seed(1)
        with torch.device(self.device):
            model = AmberModel.build_model(AmberConfig(**self.settings), self)
        return Trainee(model.to(self.device), precision)

    def stock(self, precision: str) -> Trainee:
        """Stock fairseq's ``roberta`` in training."""
        torch.manual_seed(1)
        return Trainee(stock_model(self.settings, self.dictionary).to(self.device), precision)

    @property
    def source_dictionary(self) -> Dictionary:
        """The dictionary, which a model asks its task for."""
        return self.dictionary

    def candidate(self, kind: str, trainee: Trainee) -> Candidate:
        """A step of one kind of ``KINDS`` or ``STOCK``."""
        trainee.optimizer.zero_grad()  # else the anchor would copy gradients too
        base = KINDS[STOCK.get(kind, kind)]
        model = None if kind in STOCK else trainee.model
        task = task_of(self.folder, self.dictionary, model, base.criterion())
        samples = [self._sample(task, batch) for batch in self.batches]
        criterion, flops = task.criterion, base.flops
        if kind in STOCK:
            samples = [stock_sample(sample, self.dictionary) for sample in samples]
            criterion, flops = stock_criterion(self.dictionary), f"stock {flops}"
        return Candidate(
            trainee,
            criterion.to(self.device).train(),
            [self.moved(sample) for sample in samples],
            int(sum(lengths.sum() for lengths in self.lengths)),
            sum(_positions(sample) for sample in samples),
            sum(forward_and_backward(self.shape, flops, *pairs.T) for pairs in self.lengths),
        )

    def moved(self, sample: dict[str, Any]) -> dict[str, Any]:
        """A sample on the device of the models."""
        return fairseq.utils.move_to_cuda(sample) if self.device.type == "cuda" else sample

    def _sample(self, task: Any, pairs: np.ndarray) -> dict[str, Any]:
        """A batch of the task with these pairs."""
        data = task.datasets["train"]
        where = pairs
        if not data.corpora[0].parallel:  # monolingual text: the sentences of the same pairs
            where = np.concatenate([pairs, pairs + data.offsets[1]])
        return data.collater([data[int(index)] for index in where])


def _positions(sample: dict[str, Any]) -> int:
    """Number of positions in all rows that a step encodes."""
    blocks = sample.get("blocks", [sample])
    rows = [block["net_input"]["src_tokens"] for block in blocks]
    rows += [block["sentences"]["tokens"] for block in blocks if "sentences" in block]
    return sum(tokens.numel() for tokens in rows)
