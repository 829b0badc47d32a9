"""The candidates that an anchor chooses among: the pairs of a rank, of a step, or of an update.

An update consists of several steps (``--update-freq``), and each step sees only its own pairs. To
choose among all pairs of the update, the first step encodes the sentences of the other steps ahead,
without gradient, as GradCache does (Gao et al. 2021, arXiv 2101.06983). Each step then computes the
loss of all anchors over all candidates, where only the vectors of this step have a gradient. This
is the gradient of the whole update's loss with respect to these vectors; summed over the steps, it
equals the gradient of one large batch.

Shapes: n pairs of this rank, A anchors of this rank, N candidates, D dimensions.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import torch
import torch.distributed as dist
from fairseq.distributed import utils as distributed_utils


class Pairs(NamedTuple):
    """The sentence vectors of n pairs.

    Attributes:
        sources: (n, D) fp32 vectors of the sources.
        targets: (n, D) fp32 vectors of the targets.
        keys: (n, 3) int64: a fingerprint of the source, a fingerprint of the target, and 1 for a
            pair that counts or 0 for padding and fillers.
    """

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor, sample: dict[str, Any]) -> Pairs:
        """Builds pairs from (2n, D) vectors, sources before targets, and a batch with the keys."""
        sources, targets = vectors.chunk(2)
        real = torch.full_like(sample["source_key"], int(not sample["filler"]))
        keys = torch.stack([sample["source_key"], sample["target_key"], real], dim=1)
        return cls(sources, targets, keys)

    def detached(self) -> Pairs:
        """Returns the pairs without gradient."""
        return Pairs(self.sources.detach(), self.targets.detach(), self.keys)

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """Concatenates pairs."""
        return parts[0] if len(parts) == 1 else cls(*map(torch.cat, zip(*parts)))


class Choice(NamedTuple):
    """The candidates that each anchor chooses among.

    Attributes:
        anchors: the A pairs of this rank.
        candidates: the N pairs to choose among.
        positives: (A,) int64, the index of each anchor among the candidates.
        ignore: (A, N) bool, True where a candidate must not be a negative of an anchor, because it
            has the same source or the same target, or because it does not count.
        own: the slice of the anchors that holds the pairs of this step.
    """

    anchors: Pairs
    candidates: Pairs
    positives: torch.Tensor
    ignore: torch.Tensor
    own: slice

    @property
    def weights(self) -> torch.Tensor:
        """(A,) fp32: 1 for an anchor that counts, 0 for padding and fillers."""
        return self.anchors.keys[:, 2].float()


class Step(NamedTuple):
    """The pairs of one step.

    Attributes:
        mine: the pairs of this rank.
        everyone: the pairs of all ranks.
        offset: the index of the first pair of this rank among those of all ranks.
    """

    mine: Pairs
    everyone: Pairs
    offset: int

    @classmethod
    def gathered(cls, pairs: Pairs, height: int) -> Step:
        """Gathers the pairs of all ranks; ``height`` is the largest number of pairs on any rank."""
        return cls(pairs, *gather_pairs(pairs, height))

    def detached(self) -> Step:
        """Returns the step without gradient."""
        return Step(self.mine.detached(), self.everyone.detached(), self.offset)


def choice_over(steps: Sequence[Step], step_index: int = 0) -> Choice:
    """Lets the anchors of several steps choose among the pairs of all of them.

    Args:
        steps: the steps, in order.
        step_index: the index of the present step.

    Returns:
        The anchors and the candidates that they choose among.
    """
    positives, own, anchors_before, candidates_before = [], slice(0), 0, 0
    for number, step in enumerate(steps):
        n = len(step.mine.keys)
        start = candidates_before + step.offset
        positives.append(torch.arange(start, start + n, device=step.mine.keys.device))
        if number == step_index:
            own = slice(anchors_before, anchors_before + n)
        anchors_before += n
        candidates_before += len(step.everyone.keys)
    anchors = Pairs.joined([step.mine for step in steps])
    candidates = Pairs.joined([step.everyone for step in steps])
    ignore = ignored(anchors.keys, candidates.keys)
    return Choice(anchors, candidates, torch.cat(positives), ignore, own)


def ignored(anchors: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Finds the candidates that must not be negatives of an anchor; see ``Choice``.

    Args:
        anchors: (A, 3) keys.
        candidates: (N, 3) keys.

    Returns:
        (A, N) bool.
    """
    source, target, _ = anchors.unsqueeze(2).unbind(dim=1)  # (A, 1) each
    sources, targets, real = candidates.unbind(dim=1)  # (N,) each
    return (source == sources) | (target == targets) | (real == 0)


class UpdatePairs:
    """The pairs of the present update; its first step encodes those of all other steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def choice(
        self,
        pairs: Pairs,
        sample: dict[str, Any],
        encode: Callable[[dict[str, Any]], torch.Tensor],
        scope: str,
    ) -> Choice:
        """Finds the candidates of this step's pairs.

        Args:
            pairs: the pairs of this step and rank, with gradient.
            sample: the batch; its ``normalizers`` say how many pairs other ranks hold.
            encode: turns sentences of ``update_sentences`` into (2n, D) vectors.
            scope: ``rank``, ``step`` (all ranks) or ``update`` (all ranks and steps).

        Returns:
            The anchors and the candidates that they choose among.
        """
        update = sample["normalizers"]
        if scope == "rank" or update is None:
            return choice_over([Step(pairs, pairs, 0)])
        step_index = sample.get("update_step")
        if scope == "step" or step_index is None:
            return choice_over([Step.gathered(pairs, update["step_pairs"])])
        present = Step.gathered(pairs, update["update_heights"][step_index])
        if step_index == 0:
            self.steps = self._encode_ahead(present, sample, encode)
        steps = list(self.steps)
        steps[step_index] = present
        if step_index == len(steps) - 1:
            self.steps = []
        return choice_over(steps, step_index)

    @torch.no_grad()
    def _encode_ahead(self, present: Step, sample, encode) -> list[Step]:
        """Returns the steps of the update without gradient; the first is the present one."""
        steps = [present.detached()]
        heights = sample["normalizers"]["update_heights"]
        for sentences, height in zip(sample["update_sentences"][1:], heights[1:]):
            steps.append(Step.gathered(Pairs.of(encode(sentences), sentences), height))
        return steps


def gather_pairs(pairs: Pairs, height: int) -> tuple[Pairs, int]:
    """Gathers the pairs of all ranks, with gradients.

    Args:
        pairs: the pairs of this rank.
        height: the largest number of pairs on any rank; the pairs of other ranks are filled up with
            pairs that do not count.

    Returns:
        The (world * height, D) pairs of all ranks, and the index of this rank's first pair.
    """
    vectors, offset = gather_rows(torch.cat([pairs.sources, pairs.targets], dim=1), height)
    keys, _ = gather_rows(pairs.keys, height)
    sources, targets = vectors.split([pairs.sources.size(1), pairs.targets.size(1)], dim=1)
    return Pairs(sources, targets, keys), offset


class _GatherRows(torch.autograd.Function):
    """Concatenates the (B, ...) rows of all W ranks of a group: (W * B, ...)."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group = group
        out = [torch.empty_like(rows) for _ in range(dist.get_world_size(group))]
        dist.all_gather(out, rows.contiguous(), group=group)
        return torch.cat(out)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad, group=ctx.group)
        return grad.chunk(dist.get_world_size(ctx.group))[dist.get_rank(ctx.group)], None


def gather_rows(rows: torch.Tensor, height: int) -> tuple[torch.Tensor, int]:
    """Concatenates the rows of a tensor over the data-parallel ranks, with gradients.

    The gradient of a row is the sum of its gradients on all ranks. As fairseq sums the gradients of
    the parameters, the update equals that of the whole batch on one rank.

    Args:
        rows: (B, ...) on this rank; B may differ between ranks.
        height: the largest B of any rank, which all ranks know; shorter blocks are filled up with
            zeros.

    Returns:
        (world * height, ...) rows, and the index of this rank's first row. On one rank, the rows
        themselves and 0.
    """
    if not dist.is_initialized() or distributed_utils.get_data_parallel_world_size() == 1:
        return rows, 0
    padding = rows.new_zeros((height - rows.size(0), *rows.shape[1:]))
    group = distributed_utils.get_data_parallel_group()
    gathered = _GatherRows.apply(torch.cat([rows, padding]), group)
    return gathered, height * distributed_utils.get_data_parallel_rank()
