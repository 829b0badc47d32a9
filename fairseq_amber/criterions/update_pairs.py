"""The sentence pairs that an anchor chooses among: those of a rank, a step, or a whole update.

An update is made of several steps (``--update-freq``), each of which sees its own pairs alone. To
choose among all of them, the sentences of the other steps are encoded ahead without gradient, as
GradCache does (Gao et al. 2021, arXiv 2101.06983). At every step the loss of all anchors, this
step's with gradient and the others' without, over all candidates then has the gradient of the
whole update's loss with respect to this step's vectors, and the sum over the steps is that of one
large batch.

Shapes: n pairs of this rank, A anchors of this rank, N candidates, D dimensions.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

import torch
import torch.distributed as dist
from fairseq.distributed import utils as distributed_utils


class Pairs(NamedTuple):
    """sources, targets: (n, D) fp32 sentence vectors. keys: (n, 3) int64: a fingerprint of the
    source, one of the target, and 1 for a pair that counts, 0 for padding and fillers."""

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor, sample: dict[str, Any]) -> Pairs:
        """From (2n, D), sources before targets, and the batch that holds their keys."""
        sources, targets = vectors.chunk(2)
        real = torch.full_like(sample["source_key"], int(not sample["filler"]))
        keys = torch.stack([sample["source_key"], sample["target_key"], real], dim=1)
        return cls(sources, targets, keys)

    def detached(self) -> Pairs:
        """Without gradient."""
        return Pairs(self.sources.detach(), self.targets.detach(), self.keys)

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """All pairs of several, in order."""
        return parts[0] if len(parts) == 1 else cls(*map(torch.cat, zip(*parts)))


class Choice(NamedTuple):
    """What each anchor chooses among.

    anchors: the A pairs of this rank. candidates: the N pairs. positives: (A,) int64, the place of
    each anchor among the candidates. ignore: (A, N) bool, True for the same source or target again,
    which is no wrong choice, and for what does not count. own: the A-range of this step's pairs.
    """

    anchors: Pairs
    candidates: Pairs
    positives: torch.Tensor
    ignore: torch.Tensor
    own: slice

    @property
    def weights(self) -> torch.Tensor:
        """(A,) fp32: 1 for an anchor that counts, else 0."""
        return self.anchors.keys[:, 2].float()


class Step(NamedTuple):
    """A step's pairs on this rank, on all ranks, and where the former begin in the latter."""

    mine: Pairs
    everyone: Pairs
    offset: int

    @classmethod
    def gathered(cls, pairs: Pairs, height: int) -> Step:
        """From this rank's pairs; ``height`` is the most pairs of any rank."""
        return cls(pairs, *gather_pairs(pairs, height))

    def detached(self) -> Step:
        """Without gradient."""
        return Step(self.mine.detached(), self.everyone.detached(), self.offset)


def choice_over(steps: Sequence[Step], place: int = 0) -> Choice:
    """What the anchors of several steps choose among; ``place`` is the present one of them."""
    positives, own, anchors_before, candidates_before = [], slice(0), 0, 0
    for number, step in enumerate(steps):
        n = len(step.mine.keys)
        start = candidates_before + step.offset
        positives.append(torch.arange(start, start + n, device=step.mine.keys.device))
        if number == place:
            own = slice(anchors_before, anchors_before + n)
        anchors_before += n
        candidates_before += len(step.everyone.keys)
    anchors = Pairs.joined([step.mine for step in steps])
    candidates = Pairs.joined([step.everyone for step in steps])
    ignore = ignored(anchors.keys, candidates.keys)
    return Choice(anchors, candidates, torch.cat(positives), ignore, own)


def ignored(anchors: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """(A, N) bool from the (A, 3) and (N, 3) keys: what is no wrong choice, see :class:`Choice`."""
    source, target, _ = anchors.unsqueeze(2).unbind(dim=1)  # (A, 1) each
    sources, targets, real = candidates.unbind(dim=1)  # (N,) each
    return (source == sources) | (target == targets) | (real == 0)


class UpdatePairs:
    """The pairs of the update under way; what other steps hold is encoded at its first step."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def choice(
        self,
        pairs: Pairs,
        sample: dict[str, Any],
        encode: Callable[[dict[str, Any]], torch.Tensor],
        scope: str,
    ) -> Choice:
        """What this step's pairs choose among.

        Args:
            pairs: of this step and rank, with gradient.
            sample: the batch; its ``normalizers`` say how many pairs other ranks hold.
            encode: sentences of ``update_sentences`` -> (2n, D) vectors.
            scope: ``rank``, ``step`` (all ranks) or ``update`` (all ranks and steps).
        """
        update = sample["normalizers"]
        if scope == "rank" or update is None:
            return choice_over([Step(pairs, pairs, 0)])
        place = sample.get("update_step")
        if scope == "step" or place is None:
            return choice_over([Step.gathered(pairs, update["step_pairs"])])
        present = Step.gathered(pairs, update["update_heights"][place])
        if place == 0:
            self.steps = self._encode_ahead(present, sample, encode)
        steps = list(self.steps)
        steps[place] = present
        if place == len(steps) - 1:
            self.steps = []
        return choice_over(steps, place)

    @torch.no_grad()
    def _encode_ahead(self, present: Step, sample, encode) -> list[Step]:
        """The steps of the update without gradient; the first is the present one."""
        steps = [present.detached()]
        heights = sample["normalizers"]["update_heights"]
        for sentences, height in zip(sample["update_sentences"][1:], heights[1:]):
            steps.append(Step.gathered(Pairs.of(encode(sentences), sentences), height))
        return steps


def gather_pairs(pairs: Pairs, height: int) -> tuple[Pairs, int]:
    """The pairs of all ranks, with gradients, padded with pairs that do not count; and where this
    rank's begin. ``height`` is the most pairs of any rank."""
    vectors, offset = gather_rows(torch.cat([pairs.sources, pairs.targets], dim=1), height)
    keys, _ = gather_rows(pairs.keys, height)
    sources, targets = vectors.split([pairs.sources.size(1), pairs.targets.size(1)], dim=1)
    return Pairs(sources, targets, keys), offset


class _GatherRows(torch.autograd.Function):
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
    """Concatenates a tensor's rows over the data-parallel ranks.

    The gradient of a row is the sum of what every rank's loss has to say about it, so that with
    fairseq's summed gradients the update equals that of the whole batch on one rank.

    Args:
        rows: (B, ...) on this rank; B may differ between ranks.
        height: the largest B of any rank, known to all of them; shorter blocks are filled up
            with zeros.

    Returns:
        (world * height, ...), and where this rank's rows begin in it. On one rank: the rows
        themselves and 0.
    """
    if not dist.is_initialized() or distributed_utils.get_data_parallel_world_size() == 1:
        return rows, 0
    padding = rows.new_zeros((height - rows.size(0), *rows.shape[1:]))
    group = distributed_utils.get_data_parallel_group()
    gathered = _GatherRows.apply(torch.cat([rows, padding]), group)
    return gathered, height * distributed_utils.get_data_parallel_rank()
