"""How large an update is, in whichever of three ways it is stated."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.buckets import Buckets, buckets_of_examples, buckets_of_tokens
from fairseq_amber.data.draws import Draws

# A bucket of an update whose size is stated directly. Many small buckets give all updates the same
# lengths, so that each takes about as many micro-batches; but in a few examples the share of a
# corpus is far from a whole number, for which a bucket of tokens leaves room.
_BUCKET_TOKENS = 4096
_BUCKET_EXAMPLES = 16


class UpdateSize(NamedTuple):
    """The size of an update; exactly one of the attributes is not None.

    Attributes:
        micro_batches: as many micro-batches of ``--max-tokens`` or ``--batch-size`` each.
        tokens: at most so many tokens, counted as ``--max-tokens`` counts them.
        examples: exactly so many sentences and pairs.
    """

    micro_batches: int | None = None
    tokens: int | None = None
    examples: int | None = None

    @property
    def direct(self) -> bool:
        """Whether the size does not depend on the micro-batches."""
        return self.micro_batches is None

    def buckets(self, draws: Sequence[Draws], limits: BatchLimits, seed: Sequence[int]) -> Buckets:
        """Cuts the draws of an epoch into the buckets of updates of this size.

        Args:
            draws: the draws of each corpus, sentences before pairs.
            limits: the limits of a micro-batch; a size that is stated directly ignores them.
            seed: the numbers that the order of the buckets depends on.

        Raises:
            ValueError: an update of ``tokens`` cannot hold the longest example.
        """
        total = sum(map(len, draws))
        if self.micro_batches is not None:
            if limits.max_tokens is None and limits.max_sentences is not None:
                examples = self.micro_batches * limits.max_sentences
                return buckets_of_examples(total, examples, self.micro_batches, seed)
            return buckets_of_tokens(draws, limits, self.micro_batches, seed)
        if self.tokens is not None:
            longest = max(int(one.levels[-1]) for one in draws)
            if longest > self.tokens:
                raise ValueError(f"an example of {longest} tokens exceeds {self.tokens}")
            per_update = min(-(-self.tokens // _BUCKET_TOKENS), self.tokens // longest, total)
            share = BatchLimits(self.tokens // per_update)
            return buckets_of_tokens(draws, share, per_update, seed)
        examples = min(int(self.examples or 0), total)
        per_update = max(1, examples // _BUCKET_EXAMPLES)
        return buckets_of_examples(total, examples, per_update, seed)
