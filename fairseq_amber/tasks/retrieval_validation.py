"""Measures retrieval accuracy on validation pairs during training (``--validate-retrieval``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import numpy as np
import torch
import torch.distributed as dist
from fairseq import metrics
from fairseq.data import Dictionary
from fairseq.distributed import utils as distributed_utils

from fairseq_amber.data.alignment.corpora import ParallelCorpus, available, load_corpora
from fairseq_amber.data.batches_by_length import batches_by_length, distinct, evenly_spread
from fairseq_amber.data.layout import SENTENCE_SPECIALS, Specials, pad_rows, sentence_row
from fairseq_amber.errors import UserError, warn
from fairseq_amber.metrics.retrieval import retrieval_accuracy
from fairseq_amber.objectives.sentence_alignment import mean_pool

_METRIC = "retrieval"
_PARTS = ("", "_forward", "_backward")
_METRICS = tuple(_METRIC + part for part in _PARTS)
_BATCH_TOKENS = 8192  # if --max-tokens does not limit validation


class _Limits(NamedTuple):
    """Limits of what the model encodes together.

    Attributes:
        row: longest row in tokens.
        batch: the largest number of tokens of a batch, padding included.
    """

    row: int
    batch: int


class RetrievalValidation:
    """Logs the retrieval accuracy of each validation split: the percentage of sentences whose
    translation is their nearest neighbour in the corpus, as in ``fairseq-amber retrieve``. Sentence
    vectors are means of the last layer's states, special tokens included, compared by cosine.

    ``retrieval`` is the mean over corpora of the mean of both directions; ``retrieval/<pair>`` is
    the mean of one corpus. ``retrieval_forward`` and ``retrieval_backward`` are the directions.

    Args:
        limit: the largest number of pairs to take from each corpus, evenly spread over it; with 0
            nothing is measured.
        pairs: comma-separated names of the corpora; None for all.
        dictionary: the dictionary of the task.
    """

    def __init__(self, limit: int, pairs: str | None, dictionary: Dictionary):
        self._limit = limit
        self._pairs = pairs
        self._dictionary = dictionary
        self._splits: dict[str, list[ParallelCorpus]] = {}
        self._current: list[ParallelCorpus] = []
        self._limits = _Limits(0, 0)
        self._measured: dict[str, float] | None = None

    def open(self, data: Path, split: str, best_metric: str = "") -> None:
        """Opens the pairs of a split, whatever text the criterion reads.

        Args:
            data: the data folder.
            split: the split.
            best_metric: the metric that the best checkpoint is chosen by.

        Raises:
            UserError: the split has no pairs, or lacks the pair that ``best_metric`` names.
        """
        if not self._limit:
            return
        names = available([data], "parallel", self._pairs)
        corpora = load_corpora(data, split, [], names, self._dictionary)
        pairs = [c for c in corpora if isinstance(c, ParallelCorpus) and not c.empty.all()]
        if not pairs:
            raise UserError(
                f"--validate-retrieval: {data}/parallel has no {split} pairs; add them, or leave "
                "the flag out"
            )
        names = [pair.name for pair in pairs]
        kind, slash, pair = best_metric.partition("/")
        if kind in _METRICS and slash and pair not in names:
            raise UserError(
                f"--best-checkpoint-metric {best_metric}: the {split} pairs of {data}/parallel are "
                f"{', '.join(names)}; name one of them, or {kind} for their mean"
            )
        self._splits[split] = pairs

    def begin(self, split: str, row_tokens: int, batch_tokens: int | None) -> None:
        """Begins the validation of a split.

        Args:
            split: the split.
            row_tokens: longest row in tokens.
            batch_tokens: fairseq's ``--max-tokens``.
        """
        self._current = self._splits.get(split, [])
        self._limits = _Limits(row_tokens, batch_tokens or _BATCH_TOKENS)
        self._measured = None

    def measure(self, model: Any) -> None:
        """Measures the accuracy at the first call after ``begin``.

        All ranks must call it together. Each encodes a part of the sentences, and all get the same
        result, which equals that of a single rank to the bit. The accuracy is nan, with a warning,
        if a vector is not finite.
        """
        if self._measured is None:
            accuracies = {corpus.name: self._accuracy(model, corpus) for corpus in self._current}
            self._measured = {}
            for part in _PARTS:
                values = {pair: accuracy[part] for pair, accuracy in accuracies.items()}
                for pair, value in values.items():
                    self._measured[f"{_METRIC}{part}/{pair}"] = value
                if values:
                    self._measured[_METRIC + part] = sum(values.values()) / len(values)

    def log(self) -> None:
        """Logs the accuracies of ``measure`` in percent."""
        for name, value in (self._measured or {}).items():
            metrics.log_scalar(name, value, weight=0, priority=20, round=2)

    def _accuracy(self, model: Any, corpus: ParallelCorpus) -> dict[str, float]:
        """Measures the accuracy of one corpus, by the suffix of the metric's name."""
        full = np.flatnonzero(~corpus.empty)
        chosen = full[evenly_spread(len(full), self._limit)]
        sides = zip(*(corpus[int(index)] for index in chosen))
        sentences = [ids for side in sides for ids in side]
        # A repeated sentence is encoded once, so that its vectors are equal to the bit.
        unique, row_of = distinct([tuple(ids.tolist()) for ids in sentences])
        vectors = self._encode(model, list(map(np.array, unique)))
        source, target = vectors[torch.from_numpy(row_of).to(vectors.device)].chunk(2)
        try:
            accuracy = retrieval_accuracy(source, target)
        except ValueError as error:
            warn(f"the retrieval accuracy of {corpus.name} is nan: {error}")
            return dict.fromkeys(_PARTS, math.nan)
        return {
            "": accuracy.mean,
            "_forward": accuracy.forward,
            "_backward": accuracy.backward,
        }

    @torch.no_grad()
    def _encode(self, model: Any, sentences: Sequence[np.ndarray]) -> torch.Tensor:
        """Encodes N sentences to (N, D) fp32 on every rank. The batches do not depend on the number
        of ranks."""
        model.eval()
        specials = Specials.of(self._dictionary)
        device = next(model.parameters()).device
        longest = self._limits.row - SENTENCE_SPECIALS
        rows = [sentence_row(ids[:longest], specials) for ids in sentences]
        batches = list(batches_by_length([len(row) for row in rows], self._limits.batch))
        alone = not dist.is_initialized()
        world = 1 if alone else distributed_utils.get_data_parallel_world_size()
        rank = 0 if alone else distributed_utils.get_data_parallel_rank()
        vectors = torch.zeros(0, device=device)
        for number in range(rank, rank + world * (-(-len(batches) // world)), world):
            # A rank without a batch runs the first one, because the model may communicate.
            batch = batches[number if number < len(batches) else 0]
            tokens = pad_rows([rows[i] for i in batch], specials.pad).to(device)
            states = model(tokens, features_only=True)[0]
            found = mean_pool(states, tokens.ne(specials.pad))
            if not len(vectors):
                vectors = found.new_zeros(len(rows), found.size(1))
            if number < len(batches):
                vectors[torch.from_numpy(batch).to(device)] = found
        if world > 1:
            dist.all_reduce(vectors, group=distributed_utils.get_data_parallel_group())
        return vectors


def check_best_metric(limit: int, metric: str, maximize: bool) -> None:
    """Checks ``--best-checkpoint-metric`` if it is the retrieval accuracy.

    Args:
        limit: ``--validate-retrieval``.
        metric: ``--best-checkpoint-metric``.
        maximize: ``--maximize-best-checkpoint-metric``.

    Raises:
        UserError: ``limit`` is below 0, or the metric is a retrieval accuracy that is not measured
            or would be minimised.
    """
    if limit < 0:
        raise UserError(f"--validate-retrieval {limit} is not a number of pairs, 0 or more")
    if metric.split("/")[0] in _METRICS:
        if not limit:
            raise UserError(f"--best-checkpoint-metric {metric} needs --validate-retrieval")
        if not maximize:
            raise UserError(
                f"--best-checkpoint-metric {metric} is an accuracy: add "
                "--maximize-best-checkpoint-metric, or the worst checkpoint is kept as the best"
            )
