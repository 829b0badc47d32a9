"""Monolingual sentences and sentence pairs of many corpora behind one index."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.corpora import Corpus, ParallelCorpus
from fairseq_amber.data.alignment.corpus_source import CorpusSource
from fairseq_amber.data.alignment.masking import predicted_counts
from fairseq_amber.data.layout import PAIR_SPECIALS, SENTENCE_SPECIALS
from fairseq_amber.data.plan import MicroBatch


class AlignmentDataset(FairseqDataset):
    """All corpora of a split behind one index.

    Args:
        corpora: monolingual and parallel corpora in a fixed order.
        collate: makes the batches.
        max_length: longest row in tokens, special tokens included. Longer sentences are cut, and
            longer pairs are left out.

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
        specials = PAIR_SPECIALS if corpus.parallel else SENTENCE_SPECIALS
        masked = needs.tlm or not corpus.parallel
        lengths = np.arange(self.max_length - specials + 1, dtype=np.int32)
        budgets = predicted_counts(lengths, self.collate.masking.rates)
        points_and_links = None
        if isinstance(corpus, ParallelCorpus):
            points_and_links = self._point_and_link_counts(corpus)
        source = CorpusSource(
            corpus,
            offset,
            costs=needs.tokens_of_pair(lengths) if corpus.parallel else lengths + specials,
            predicted_counts=budgets * np.int32(masked),
            point_and_link_counts=points_and_links,
        )
        for reason, count in (
            ("empty on a side" if corpus.parallel else "empty", source.empty),
            (f"longer than {self.max_length} tokens", source.too_long),
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
                counts[:, 0] = points.counts(sides[points.settings.target_side(corpus.name)])
            if links is not None:
                counts[:, 1] = links.counts
            self._counts[corpus.name] = counts
        return self._counts[corpus.name]

    def __getitem__(self, item) -> dict[str, Any]:
        index, batch = item if isinstance(item, tuple) else (item, None)
        corpus, tokens = self._read(index)
        return {"index": index, "corpus": corpus, "tokens": tokens, "batch": batch}

    def _read(self, index: int):
        """Returns the corpus of an example, and its tokens (of a pair, those of both sides)."""
        corpus_index = bisect_right(self.offsets, index) - 1
        corpus = self.corpora[corpus_index]
        tokens = corpus[index - self.offsets[corpus_index]]
        return corpus, tokens if corpus.parallel else tokens[: self.max_length - SENTENCE_SPECIALS]

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes a batch of examples of one corpus.

        Returns:
            The batch of ``Collater``, and beside it:

            - ``corpus``: the name of the corpus; ``corpora``: all names of the split.
            - ``parallel``: whether the examples are pairs; ``nsentences``: their number B;
              ``id``: (B,) int64, their indices.
            - ``filler``: whether the batch is a filler; see ``data.plan.MicroBatch``.
            - ``normalizers``: the counts of the update, see ``data.plan.Normalizers``; None outside
              a plan, where each batch is normalised by itself.
            - ``update_step``: the index of this step among the update's parallel steps, if a
              criterion contrasts pairs of several steps; at the first of them also
              ``update_sentences``: for each step what ``Collater.separate`` returns, and its
              ``filler``.
        """
        if not samples:
            return {}
        corpus, batch = samples[0]["corpus"], samples[0]["batch"]
        indices = [sample["index"] for sample in samples]
        tokens = [sample["tokens"] for sample in samples]
        draws = indices if batch is None else batch.draws
        if corpus.parallel:
            sources, targets = zip(*tokens)
            links: Sequence[np.ndarray] = ()
            if isinstance(corpus, ParallelCorpus) and corpus.links is not None:
                offset = self.offsets[self.corpora.index(corpus)]
                links = [corpus.links[index - offset] for index in indices]
            out = self.collate.pairs(sources, targets, draws, self.epoch, corpus.name, links)
        else:
            out = self.collate.sentences(tokens, draws, self.epoch)
        if batch is not None and batch.update and self.collate.needs.update_candidates:
            out["update_step"] = batch.update_step
            if batch.update_step == 0:
                out["update_sentences"] = [self._sentences(step) for step in batch.update]
        out.update(
            corpus=corpus.name,
            corpora=tuple(corpus.name for corpus in self.corpora),
            parallel=corpus.parallel,
            filler=batch is not None and batch.filler,
            normalizers=None if batch is None else batch.normalizers,
            nsentences=len(samples),
            id=torch.tensor(indices),
        )
        return out

    def _sentences(self, batch: MicroBatch) -> dict[str, Any]:
        sources, targets = zip(*(self._read(index)[1] for index, _ in batch))
        return {**self.collate.separate(sources, targets), "filler": batch.filler}
