"""Monolingual sentences and sentence pairs of many corpora behind one index."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.corpora import Corpus, ParallelCorpus
from fairseq_amber.data.alignment.corpus_source import CorpusSource
from fairseq_amber.data.alignment.example import Example
from fairseq_amber.data.alignment.masking import predicted_counts
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS
from fairseq_amber.data.plan import MicroBatch


class AlignmentDataset(FairseqDataset):
    """All corpora of a split behind one index.

    Args:
        corpora: monolingual and parallel corpora in a fixed order.
        collate: makes the batches.
        max_length: longest row in tokens, special tokens included. Longer sentences are cut. A pair
            is left out if it needs a longer row: one of both sentences, or, where each sentence has
            a row of its own only, one of either sentence.

    Attributes:
        epoch: the epoch that the random masking depends on.
        offsets: the index of each corpus's first example, then the number of all examples.
        dropped: how many examples of a corpus ``sources`` has left out, by (corpus, reason).
    """

    def __init__(self, corpora: Sequence[Corpus], collate: Collater, max_length: int):
        self.corpora = list(corpora)
        self.collate = collate
        self.max_length = max_length
        self.epoch = 1
        self.offsets = [0, *np.cumsum([len(corpus) for corpus in self.corpora]).tolist()]
        self.dropped: dict[tuple[str, str], int] = {}
        self._counts: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return self.offsets[-1]

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """False, because every epoch is sampled anew."""
        return False

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, which the random masking depends on."""
        self.epoch = epoch

    def sources(self) -> list[CorpusSource]:
        """Returns a source for each corpus that has a usable example, without reading its text."""
        self.dropped = {}
        sources = [self._source(*item) for item in zip(self.corpora, self.offsets)]
        return [source for source in sources if source.size]

    def _source(self, corpus: Corpus, offset: int) -> CorpusSource:
        needs = self.collate.needs
        joined = corpus.parallel and needs.rows_per_pair > 0
        specials = PAIR_SPECIALS if joined else SENTENCE_SPECIALS
        masked = needs.tlm or not corpus.parallel
        lengths = np.arange(self.max_length - specials + 1, dtype=np.int32)
        budgets = predicted_counts(lengths, self.collate.masking.rates)
        points_and_links = side_costs = None
        if isinstance(corpus, ParallelCorpus):
            points_and_links = self._point_and_link_counts(corpus)
            costs, separate = needs.parts_of_pair(lengths, lengths).T
            if not joined:
                costs = separate
            elif needs.sentences:
                side_costs = separate
        else:
            segmented = isinstance(corpus, BlockCorpus) and not corpus.separated
            costs = needs.cost_of_sentence(lengths, PAIR_SPECIALS if segmented else specials)
        source = CorpusSource(
            corpus,
            offset,
            costs,
            budgets * np.int32(masked),
            side_costs,
            points_and_links,
            joined=joined,
        )
        of_row = ", both sides in one row" if joined else " on a side"
        for reason, count in (
            ("empty on a side" if corpus.parallel else "empty", source.empty),
            (f"longer than {self.max_length} tokens{of_row}", source.too_long),
        ):
            if count:
                self.dropped[corpus.name, reason] = count
        return source

    def _point_and_link_counts(self, corpus: ParallelCorpus) -> np.ndarray | None:
        """Returns (N, 2): the number of target points and of word links of each pair."""
        points, links = self.collate.points, corpus.links
        if points is None and links is None:
            return None
        if corpus.name not in self._counts:
            counts = np.zeros((len(corpus), 2), dtype=np.int32)
            if points is not None:
                sides = corpus.sources, corpus.targets
                target = points.settings.target_side(corpus.name)
                words = None if corpus.words is None else corpus.words[target]
                counts[:, 0] = points.counts(sides[target], words)
            if links is not None and self.collate.linked is not None:
                counts[:, 1] = self.collate.linked.counts(links.counts)
            self._counts[corpus.name] = counts
        return self._counts[corpus.name]

    def __getitem__(self, item) -> dict[str, Any]:
        index, batch = item if isinstance(item, tuple) else (item, None)
        return {"example": self._read(index), "index": index, "batch": batch}

    def _read(self, index: int, draw: int | None = None) -> Example:
        """Returns an example; the number of its draw is by default its index."""
        number = bisect_right(self.offsets, index) - 1
        corpus, position = self.corpora[number], index - self.offsets[number]
        links = line_starts = words = None
        sentences: tuple[np.ndarray, ...]
        if isinstance(corpus, ParallelCorpus):
            sentences = corpus[position]
            words = corpus.word_starts(position, sentences)
            if corpus.links is not None:
                links = corpus.links.positions(position, sentences)
        else:
            sentences = (corpus[position][: self.max_length - SENTENCE_SPECIALS],)
            starts = corpus.word_starts(position, sentences[0])
            words = None if starts is None else (starts,)
            if isinstance(corpus, BlockCorpus) and not corpus.separated:
                line_starts = corpus.line_starts(position)
        draw = index if draw is None else draw
        return Example(number, corpus.name, int(draw), sentences, links, line_starts, words)

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes the batch of a micro-batch.

        Returns:
            The batch of ``Collater``, and beside it:

            - ``id``: (B,) int64, the indices of the examples, in the order of the blocks.
            - ``corpora``: the names of all corpora of the split; ``corpus``: the name of the
              corpus that all examples are of, or None.
            - ``filler``: whether the batch is a filler; see ``data.plan.MicroBatch``.
            - ``normalizers``: the counts of the update, see ``data.plan.Normalizers``; None outside
              a plan, where each batch is normalised by itself.
            - ``step``: the number of this step in the update; if a criterion contrasts pairs of
              several steps, at the first of them also ``update_sentences``: for each step what
              ``Collater.candidates`` returns.
        """
        if not samples:
            return {}
        batch = samples[0]["batch"]
        indices = np.array([sample["index"] for sample in samples])
        examples = [sample["example"] for sample in samples]
        if batch is not None:
            draws = batch.draws.tolist()
            examples = [one._replace(draw=draw) for one, draw in zip(examples, draws)]
        out = self.collate.batch(examples, self.epoch, None if batch is None else batch.max_tokens)
        names = {example.name for example in examples}
        out.update(
            id=torch.from_numpy(indices[out.pop("order").numpy()]),
            corpora=tuple(corpus.name for corpus in self.corpora),
            corpus=names.pop() if len(names) == 1 else None,
            filler=batch is not None and batch.filler,
            normalizers=None if batch is None else batch.normalizers,
            step=0 if batch is None else batch.step,
        )
        if self.collate.needs.update_candidates and batch is not None and batch.update:
            out["update_sentences"] = [self._candidates(step) for step in batch.update]
        return out

    def _candidates(self, batch: MicroBatch) -> dict[str, Any]:
        examples = [self._read(int(i), draw) for i, draw in zip(batch.indices, batch.draws)]
        return self.collate.candidates(examples, filler=batch.filler, max_tokens=batch.max_tokens)
