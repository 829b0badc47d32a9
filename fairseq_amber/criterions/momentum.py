"""Momentum contrast (He et al. 2020, arXiv 1911.05722): candidates from a slow encoder and a queue.

The momentum encoder changes so slowly that its vectors of past updates remain comparable. They stay
in a queue, so that a sentence chooses among many more candidates than one update has.

Shapes: n pairs of this rank, T tokens, D dimensions, K slots of the queue.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any, Callable

import torch
from torch import nn

from fairseq_amber.criterions.pairs import Pairs, key_rows
from fairseq_amber.criterions.unread_parameters import cut_above
from fairseq_amber.criterions.update_pairs import Choice, Encode, ignored
from fairseq_amber.objectives.precision import at_least_fp32

Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class FullPrecision(nn.Module):
    """A module that moves between devices but keeps its data types.

    Under ``--fp16`` and ``--bf16`` fairseq converts a criterion to half precision. There a step of
    ``1 - momentum`` would be smaller than the spacing of the numbers and would be lost.
    """

    def _apply(self, fn, *args, **kwargs):
        return super()._apply(lambda t: t.to(fn(t.new_empty(0)).device), *args, **kwargs)


class MomentumEncoder(FullPrecision):
    """A slow copy k of the model's weights q: after each update ``k <- m k + (1 - m) q``.

    It holds the weights that a sentence vector depends on, as buffers, so that they are neither
    trained nor reduced over ranks. Dropout is off.

    Args:
        model: the model to train.
        projection: the trained projection of its sentence vectors, or None.
        layer: the layer of the sentence vectors, from 1; the layers above are left out.
        pool: turns states (n, T, D) and a mask (n, T) into sentence vectors (n, D).
    """

    def __init__(self, model: Any, projection: nn.Module | None, layer: int, pool: Pool):
        super().__init__()
        self.started = False
        self.pool = pool
        self.model = copy.deepcopy(model)
        cut_above(self.model, layer)
        self.projection = copy.deepcopy(projection)
        for module in list(self.modules()):
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach().clone())
        self.train()

    def train(self, mode: bool = True) -> MomentumEncoder:
        """Keeps the module in evaluation mode, whatever ``mode`` is."""
        return super().train(False)

    def start(self, model: nn.Module, projection: nn.Module | None) -> None:
        """Copies the trained weights once, before the first update.

        A checkpoint may have changed them since this encoder was built. Later calls do nothing.
        """
        if not self.started:
            self.follow(model, projection, momentum=0.0)
            self.started = True

    @torch.no_grad()
    def follow(self, model: nn.Module, projection: nn.Module | None, momentum: float) -> None:
        """Moves one step towards the trained weights; with ``momentum`` 0 it copies them."""
        for copied, trained in ((self.model, model), (self.projection, projection)):
            if copied is not None and trained is not None:
                weights = dict(trained.named_parameters())
                for name, average in copied.named_buffers():
                    average.lerp_(weights[name].to(average.dtype), 1 - momentum)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Encodes sentences.

        Args:
            tokens: (n, T) int64.
            mask: (n, T) bool, the tokens that count in the mean of a sentence.
            dtype: the data type of the trained model, in which the states are computed.

        Returns:
            (n, D) sentence vectors, in fp32 or fp64.
        """
        halved = dtype in (torch.float16, torch.bfloat16)
        with torch.autocast(tokens.device.type, dtype) if halved else contextlib.nullcontext():
            states, _ = self.model(tokens, features_only=True)
            vectors = self.pool(states, mask)
            if self.projection is not None:
                weight = next(self.projection.buffers())
                vectors = self.projection(vectors.to(weight.dtype))
            return at_least_fp32(vectors)

    def get_extra_state(self) -> dict[str, bool]:
        """Returns what a checkpoint keeps beside the buffers."""
        return {"started": self.started}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        """Takes what ``get_extra_state`` returned from a checkpoint."""
        self.started = state["started"]


class PairQueue(FullPrecision):
    """The last K pairs of past updates; the oldest is overwritten first.

    An empty slot holds a pair that does not count.

    Args:
        size: the number K of slots.
        source_dim: the dimension D of the sources; 0 if they are not kept.
        target_dim: the dimension D of the targets.
    """

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    def __init__(self, size: int, source_dim: int, target_dim: int):
        super().__init__()
        self.size = size
        self.next = 0  # a plain number: the host would have to wait for one on the device
        self.register_buffer("sources", torch.zeros(size, source_dim))
        self.register_buffer("targets", torch.zeros(size, target_dim))
        self.register_buffer("keys", torch.zeros(size, 3, dtype=torch.int64))

    @property
    def pairs(self) -> Pairs:
        """The pairs in all K slots."""
        return Pairs(self.sources, self.targets, self.keys)

    @torch.no_grad()
    def push(self, pairs: Pairs, count: int) -> None:
        """Appends the pairs that count, in order.

        Args:
            pairs: (n, D) pairs of an update; pairs that do not count are left out.
            count: the number of pairs that count; it may be more than K.
        """
        if not self.size:
            return
        # A stable sort moves the pairs that count to the front; the host need not wait for a mask.
        real = (pairs.keys[:, 2] > 0).long().sort(descending=True, stable=True).indices
        chosen = real[max(count - self.size, 0) : count]
        first = self.next + count - len(chosen)
        slots = torch.arange(first, first + len(chosen), device=chosen.device) % self.size
        for kept, new in zip(self.pairs, pairs):
            kept.index_copy_(0, slots, new[chosen].to(kept.dtype))
        self.next = (self.next + count) % self.size

    def get_extra_state(self) -> dict[str, int]:
        """Returns the slot of the next pair, which a checkpoint keeps beside the buffers."""
        return {"next": self.next}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes what ``get_extra_state`` returned from a checkpoint."""
        self.next = state["next"]


class MomentumContrast(nn.Module):
    """The candidates of a step: the pairs of the whole update, and those in the queue.

    The first step of an update encodes all its pairs, over all ranks and accumulated micro-batches.
    After the last step they enter the queue, each once and in the order of the plan. So the
    candidates do not depend on how the update is cut into ranks and micro-batches.

    Args:
        encoder: the momentum encoder.
        queue: the pairs of past updates.
        symmetric: encode sources too; otherwise only targets.
    """

    def __init__(self, encoder: MomentumEncoder, queue: PairQueue, symmetric: bool):
        super().__init__()
        self.encoder = encoder
        self.queue = queue
        self.symmetric = symmetric
        self.steps: list[tuple[Pairs, int]] = []
        self.pending: tuple[Pairs, int] | None = None

    def after_update(self) -> None:
        """Puts the pairs of the update into the queue.

        This method is not called after an update that fairseq skips, for example after an overflow
        in fp16.
        """
        if self.pending is not None:
            self.queue.push(*self.pending)
            self.pending = None

    def choice(self, pairs: Pairs, sample: dict[str, Any], dtype: torch.dtype) -> Choice:
        """Finds the candidates of this step's pairs.

        Args:
            pairs: the pairs of this step and rank, with gradient.
            sample: the batch.
            dtype: the data type of the trained model.

        Returns:
            The anchors and the candidates that they choose among.
        """
        step_index = sample["step"] if "update_sentences" in sample or self.steps else 0
        if step_index == 0:
            self._encode_update(sample, dtype)
        everyone = [step for step, _ in self.steps]
        start = sum(len(step.keys) for step in everyone[:step_index]) + self.steps[step_index][1]
        candidates = Pairs.joined([*everyone, self.queue.pairs])
        n = len(pairs.keys)
        choice = Choice(
            anchors=pairs,
            candidates=candidates,
            positives=torch.arange(start, start + n, device=pairs.keys.device),
            ignore=ignored(pairs.keys, candidates.keys),
            own=slice(0, n),
        )
        if step_index == len(self.steps) - 1:
            update = sample["normalizers"]
            count = n * (not sample["filler"]) if update is None else update["pairs"]
            self.pending = Pairs.joined(everyone), count
            self.steps = []
        return choice

    def _encode_update(self, sample: dict[str, Any], dtype: torch.dtype) -> None:
        """Encodes the pairs of all steps of the update, and gathers them over ranks."""
        update = sample["normalizers"]
        steps = sample.get("update_sentences")
        if steps is None:
            blocks = [block["sentences"] for block in sample["blocks"] if block["parallel"]]
            own = {**sample["pairs"], "blocks": blocks}
            steps = [{"pairs": own, "filler": sample["filler"]}]
        heights = [sample["npairs"]] if update is None else update["pair_heights"]
        self.steps = [
            self._encode(step, dtype).gathered(height) for step, height in zip(steps, heights)
        ]

    def _encode(self, sentences: dict[str, Any], dtype: torch.dtype) -> Pairs:
        """Encodes the n pairs of one step; see ``encode_sides``."""

        def encode(side: dict[str, Any]) -> torch.Tensor:
            return self.encoder(side["tokens"], side["mask"], dtype)

        return encode_sides(encode, sentences, self.queue.pairs, sources=self.symmetric)


def encode_sides(
    encode: Encode,
    sentences: dict[str, Any],
    like: Pairs,
    *,
    sources: bool = True,
    targets: bool = True,
) -> Pairs:
    """Encodes one side of the pairs of a step, or both.

    The pairs are in the order of the plan, which does not depend on how an update is cut, and not
    in that of the blocks: the order decides which pairs of an update leave the queue first.

    Args:
        encode: turns a block, a dict of ``tokens`` (B, T) and ``mask`` (B, T), into sentence
            vectors (B, D).
        sentences: ``pairs``, as ``data.alignment.collater.Collater.candidates`` returns them, and
            ``filler``: whether they are a filler, which does not count.
        like: pairs with vectors of the same dimensions and on the same device, for a step of no
            pairs.
        sources: encode the sources.
        targets: encode the targets.

    Returns:
        The pairs; a side that is not encoded has dimension 0.
    """
    own = sentences["pairs"]
    sides: list[list[torch.Tensor]] = [[], []]
    for block in own["blocks"]:
        if sources and targets:
            halves = encode(block).chunk(2)
        else:
            half = 0 if sources else 1
            kept = {name: rows.chunk(2)[half] for name, rows in block.items()}
            vectors = encode(kept)
            empty = vectors.new_empty(len(vectors), 0)
            halves = (vectors, empty) if sources else (empty, vectors)
        for side, half_vectors in zip(sides, halves):
            side.append(half_vectors)
    if not own["blocks"]:
        sides = [[like.sources[:0]], [like.targets[:0]]]
    keys = key_rows(own, sentences["filler"])
    by_draw = own["by_draw"]
    return Pairs(*(x.index_select(0, by_draw) for x in (*map(torch.cat, sides), keys)))
