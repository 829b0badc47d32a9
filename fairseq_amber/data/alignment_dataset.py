"""Monolingual sentences and sentence pairs of many corpora, collated for one forward pass."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset

from fairseq_amber.data.corpora import Corpus
from fairseq_amber.data.layout import (
    PAIR_SPECIALS,
    SENTENCE_SPECIALS,
    Specials,
    alignment_rows,
    pad_rows,
    pair_row,
    prefix_token_mask,
    sentence_row,
)
from fairseq_amber.data.masking import IGNORED, MaskingRates, mask_tokens, masked_counts
from fairseq_amber.data.sampling import MicroBatch, Source


class Needs(NamedTuple):
    """What a criterion needs of a batch.

    mlm: masked sentences. tlm: masked pairs. alignment: the two passes of word alignment, which
    also yield both sentence vectors. include_specials: special tokens count in a sentence's mean.
    """

    mlm: bool = True
    tlm: bool = True
    alignment: bool = True
    include_specials: bool = True

    @property
    def rows_per_pair(self) -> int:
        """Rows that a pair takes in a batch."""
        return int(self.tlm) + 2 * int(self.alignment)


class AlignmentDataset(FairseqDataset):
    """All corpora of a split behind one index.

    The masking of an example is a function of (seed, epoch, index), whichever rank or batch it
    lands in.

    Args:
        corpora: monolingual and parallel, in a fixed order.
        specials: ids of the special tokens.
        random_range: ids ``low <= id < high`` that random replacements are drawn from.
        needs: which rows to make.
        rates: the masking.
        max_length: longest row in tokens, special tokens included. Longer sentences are cut;
            longer pairs are left out (:attr:`dropped`).
        seed: of the masking.
    """

    def __init__(
        self,
        corpora: Sequence[Corpus],
        specials: Specials,
        random_range: tuple[int, int],
        needs: Needs,
        rates: MaskingRates,
        max_length: int,
        seed: int,
    ):
        self.corpora = list(corpora)
        self.specials = specials
        self.random_range = random_range
        self.needs = needs
        self.rates = rates
        self.max_length = max_length
        self.seed = seed
        self.epoch = 1
        self.offsets = np.cumsum([0] + [len(corpus) for corpus in self.corpora])
        self.dropped: dict[str, int] = {}

    def __len__(self) -> int:
        return int(self.offsets[-1])

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """False: every epoch is sampled anew."""
        return False

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the masking is drawn for."""
        self.epoch = epoch

    def sources(self) -> list[Source]:
        """What the sampler needs to know of each corpus that has an example."""
        out = []
        for corpus, offset in zip(self.corpora, self.offsets):
            lengths = corpus.lengths
            indices = np.arange(offset, offset + len(corpus), dtype=np.int64)
            if corpus.parallel:
                rows = lengths + PAIR_SPECIALS
                keep = rows <= self.max_length
                self.dropped[corpus.name] = int(len(keep) - keep.sum())
                indices, lengths, rows = indices[keep], lengths[keep], rows[keep]
                costs = rows * self.needs.rows_per_pair
                predicted = masked_counts(lengths, self.rates) * self.needs.tlm
            else:
                lengths = np.minimum(lengths, self.max_length - SENTENCE_SPECIALS)
                costs = lengths + SENTENCE_SPECIALS
                predicted = masked_counts(lengths, self.rates)
            if len(indices):
                out.append(Source(corpus.parallel, indices, costs, predicted))
        return out

    def __getitem__(self, item) -> dict[str, Any]:
        index, batch = item if isinstance(item, tuple) else (item, None)
        which = int(np.searchsorted(self.offsets, index, side="right")) - 1
        corpus = self.corpora[which]
        return {
            "index": index,
            "corpus": corpus,
            "tokens": corpus[index - int(self.offsets[which])],
            "batch": batch,
        }

    def collater(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes one batch of examples of one corpus; see :meth:`_rows_of_pairs` for its fields.

        ``normalizers`` are the update's counts, and ``counts`` says whether this batch adds to
        them; a batch made outside a plan normalises itself.
        """
        if not samples:
            return {}
        corpus = samples[0]["corpus"]
        if corpus.parallel:
            rows, targets, sample = self._rows_of_pairs(samples)
        else:
            rows, targets, sample = self._rows_of_sentences(samples)
        tokens = pad_rows(rows, self.specials.pad)
        sample["net_input"]["src_tokens"] = tokens
        if targets:
            padded = pad_rows(targets, IGNORED).flatten()
            masked = (padded != IGNORED).nonzero().flatten()
            # The masked rows come first and may be narrower than the batch.
            width = max(map(len, targets))
            masked_tokens = masked // width * tokens.size(1) + masked % width
            sample["target"] = padded[masked]
        else:
            masked_tokens = torch.empty(0, dtype=torch.int64)
            sample["target"] = torch.empty(0, dtype=torch.int64)
        sample["net_input"]["masked_tokens"] = masked_tokens
        batch: MicroBatch | None = samples[0]["batch"]
        sample.update(
            corpus=corpus.name,
            parallel=corpus.parallel,
            counts=batch is None or not batch.filler,
            # A dict: fairseq turns named tuples into bare ones when it moves a batch.
            normalizers=batch and batch.normalizers and batch.normalizers._asdict(),
            nsentences=len(samples),
            ntokens=sum(map(len, rows)),
            id=torch.tensor([sample["index"] for sample in samples]),
        )
        return sample

    def _rows_of_sentences(self, samples):
        length = self.max_length - SENTENCE_SPECIALS
        rows, targets = [], []
        for sample in samples:
            row = sentence_row(sample["tokens"][:length], self.specials)
            row, target = self._mask(row, sample["index"])
            rows.append(row)
            targets.append(target)
        return rows, targets, {"net_input": {}}

    def _rows_of_pairs(self, samples):
        """Masked rows [x;y] first, then [x;y] and [y;x] as they are: one batch, one forward pass.

        ``net_input``: ``prefix_lengths`` (R,) and ``cross``, the queries and keys of
        ``layout.alignment_rows``. ``source_mask``, ``target_mask`` (B, L): tokens that count in
        word alignment. ``sentence_mask`` (2B, T): tokens that count in the means of x and of y.
        ``target_key`` (B,) int64: equal for equal target sentences.
        """
        sources = [sample["tokens"][0] for sample in samples]
        targets = [sample["tokens"][1] for sample in samples]
        rows: list[np.ndarray] = []
        masked: list[np.ndarray] = []
        if self.needs.tlm:
            for x, y, sample in zip(sources, targets, samples):
                row, target = self._mask(pair_row(x, y, self.specials), sample["index"])
                rows.append(row)
                masked.append(target)
        out: dict[str, Any] = {"net_input": {}}
        if self.needs.alignment:
            aligned = alignment_rows(sources, targets, self.specials)
            full = torch.tensor([len(row) for row in rows], dtype=torch.int64)
            rows += aligned.rows
            out["net_input"]["prefix_lengths"] = torch.cat([full, aligned.prefix_lengths])
            out["net_input"]["cross"] = (aligned.queries, aligned.keys)
            out["source_mask"] = aligned.source_mask
            out["target_mask"] = aligned.target_mask
            out["sentence_mask"] = prefix_token_mask(
                aligned.prefix_lengths,
                max(map(len, rows)),
                include_specials=self.needs.include_specials,
            )
            out["target_key"] = torch.tensor([_key(y) for y in targets])
        return rows, masked, out

    def _mask(self, row: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        maskable = (row != self.specials.bos) & (row != self.specials.eos)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        return mask_tokens(row, maskable, self.rates, self.specials.mask, self.random_range, rng)


def _key(tokens: np.ndarray) -> int:
    """A 63-bit fingerprint, the same in every process."""
    digest = hashlib.blake2b(tokens.astype(np.int64).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
