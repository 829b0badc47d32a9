"""Momentum contrast (He et al. 2020, arXiv 1911.05722): the candidates come from an encoder that
moves slowly, so that those of past updates may stay among them.

Shapes: n pairs of this rank, T tokens, D dimensions.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any, Callable

import torch
from torch import nn

from fairseq_amber.criterions.layers import cut_above
from fairseq_amber.criterions.update_pairs import Choice, Pairs, gather_pairs, ignored

Pool = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class FullPrecision(nn.Module):
    """A module that moves between devices but keeps its types: fairseq halves a criterion under
    ``--fp16`` and ``--bf16``, where ``1 - momentum`` is less than a weight's spacing."""

    def _apply(self, fn, *args, **kwargs):
        return super()._apply(lambda t: t.to(fn(t.new_empty(0)).device), *args, **kwargs)


class MomentumEncoder(FullPrecision):
    """``k <- m k + (1 - m) q`` for every weight q of the model that a sentence vector depends on.

    The copies are buffers, which nothing trains or reduces. Dropout is off.

    Args:
        model: the trained one.
        projection: of its sentence vectors, or None.
        layer: of the sentence vectors, from 1; what lies above it is left out.
        pool: states (n, T, D) and mask (n, T) -> (n, D).
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
        """Stays in evaluation mode."""
        return super().train(False)

    def start(self, model: nn.Module, projection: nn.Module | None) -> None:
        """Before the first update: becomes the trained model, which a checkpoint may have changed
        since. Does nothing later on."""
        if not self.started:
            self.follow(model, projection, momentum=0.0)
            self.started = True

    @torch.no_grad()
    def follow(self, model: nn.Module, projection: nn.Module | None, momentum: float) -> None:
        """One step towards the trained weights; with ``momentum`` 0 all the way."""
        for copied, trained in ((self.model, model), (self.projection, projection)):
            if copied is not None and trained is not None:
                weights = dict(trained.named_parameters())
                for name, average in copied.named_buffers():
                    average.lerp_(weights[name].to(average.dtype), 1 - momentum)

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """(n, D) fp32 vectors of sentences (n, T), computed in the trained model's ``dtype``."""
        halved = dtype in (torch.float16, torch.bfloat16)
        with torch.autocast(tokens.device.type, dtype) if halved else contextlib.nullcontext():
            states, _ = self.model(tokens, features_only=True)
            vectors = self.pool(states, mask)
            return (vectors if self.projection is None else self.projection(vectors)).float()

    def get_extra_state(self) -> dict[str, bool]:
        """Whether it is under way."""
        return {"started": self.started}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        """Takes it from a checkpoint."""
        self.started = state["started"]


class PairQueue(FullPrecision):
    """The last K pairs of keys, the oldest overwritten first. An empty place counts as a pair that
    does not count.

    Args:
        size: K.
        source_dim, target_dim: D of each side; 0 for a side that is not kept.
    """

    sources: torch.Tensor
    targets: torch.Tensor
    keys: torch.Tensor

    def __init__(self, size: int, source_dim: int, target_dim: int):
        super().__init__()
        self.size = size
        self.next = 0  # on the host: a pointer on the device would have to be waited for
        self.register_buffer("sources", torch.zeros(size, source_dim))
        self.register_buffer("targets", torch.zeros(size, target_dim))
        self.register_buffer("keys", torch.zeros(size, 3, dtype=torch.int64))

    @property
    def pairs(self) -> Pairs:
        """All K places."""
        return Pairs(self.sources, self.targets, self.keys)

    @torch.no_grad()
    def push(self, pairs: Pairs, count: int) -> None:
        """Takes in those of the pairs that count, in order.

        Args:
            pairs: at least ``count`` of them count; more than K may.
            count: how many do.
        """
        if not self.size:
            return
        # A stable sort moves them to the front without asking the device how many there are.
        real = pairs.keys[:, 2].sort(descending=True, stable=True).indices
        chosen = real[max(count - self.size, 0) : count]
        first = self.next + count - len(chosen)
        places = torch.arange(first, first + len(chosen), device=chosen.device) % self.size
        for kept, new in zip(self.pairs, pairs):
            kept.index_copy_(0, places, new[chosen].to(kept.dtype))
        self.next = (self.next + count) % self.size

    def get_extra_state(self) -> dict[str, int]:
        """Where the next pair goes."""
        return {"next": self.next}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes it from a checkpoint."""
        self.next = state["next"]


class MomentumContrast(nn.Module):
    """What the pairs of a step choose among: the keys of the whole update, over all ranks and
    accumulated micro-batches, and those in the queue.

    All pairs of an update are encoded at its first step and enter the queue after its last, in the
    order of the plan, each once; so neither depends on how the update is cut.

    Args:
        encoder: of the keys.
        queue: of past keys.
        symmetric: encode sources too; else targets alone.
    """

    def __init__(self, encoder: MomentumEncoder, queue: PairQueue, symmetric: bool):
        super().__init__()
        self.encoder = encoder
        self.queue = queue
        self.symmetric = symmetric
        self.steps: list[tuple[Pairs, int]] = []
        self.pending: tuple[Pairs, int] | None = None

    def after_update(self) -> None:
        """The update's pairs enter the queue; those of an update that was given up, as after an
        overflow in fp16, never do."""
        if self.pending is not None:
            self.queue.push(*self.pending)
            self.pending = None

    def choice(self, pairs: Pairs, sample: dict[str, Any], dtype: torch.dtype) -> Choice:
        """What this step's pairs choose among.

        Args:
            pairs: of this step and rank, with gradient.
            sample: the batch, with ``sentences``.
            dtype: of the trained model.
        """
        place = sample.get("update_step") or 0
        if place == 0:
            self._encode_update(sample, dtype)
        everyone = [step for step, _ in self.steps]
        start = sum(len(step.keys) for step in everyone[:place]) + self.steps[place][1]
        candidates = Pairs.joined([*everyone, self.queue.pairs])
        n = len(pairs.keys)
        choice = Choice(
            anchors=pairs,
            candidates=candidates,
            positives=torch.arange(start, start + n, device=pairs.keys.device),
            ignore=ignored(pairs.keys, candidates.keys),
            own=slice(0, n),
        )
        if place == len(self.steps) - 1:
            update = sample["normalizers"]
            count = n * (not sample["filler"]) if update is None else update["pairs"]
            self.pending = Pairs.joined(everyone), count
            self.steps = []
        return choice

    def _encode_update(self, sample: dict[str, Any], dtype: torch.dtype) -> None:
        update = sample["normalizers"]
        if "update_sentences" in sample:
            steps, heights = sample["update_sentences"], update["update_heights"]
        else:
            steps = [{**sample["sentences"], "filler": sample["filler"]}]
            heights = [sample["nsentences"] if update is None else update["step_pairs"]]
        self.steps = [
            gather_pairs(self._encode(step, dtype), height) for step, height in zip(steps, heights)
        ]

    def _encode(self, sentences: dict[str, Any], dtype: torch.dtype) -> Pairs:
        def encode(some: dict[str, Any]) -> torch.Tensor:
            return self.encoder(some["tokens"], some["mask"], dtype)

        return encode_pairs(encode, sentences, sources=self.symmetric, targets=True)


def encode_pairs(
    encode: Callable[[dict[str, Any]], torch.Tensor],
    sentences: dict[str, Any],
    *,
    sources: bool,
    targets: bool,
) -> Pairs:
    """The pairs of a batch with those of the two sides that are wanted; the other has dimension 0.

    Args:
        encode: ``tokens`` and ``mask`` -> vectors.
        sentences: sources, then targets; their keys, and whether they count.
        sources, targets: which side is wanted.
    """
    tokens, mask = sentences["tokens"], sentences["mask"]
    if sources and targets:
        return Pairs.of(encode(sentences), sentences)
    half = 0 if sources else 1
    vectors = encode({"tokens": tokens.chunk(2)[half], "mask": mask.chunk(2)[half]})
    nothing = vectors.new_empty(len(vectors), 0)
    sides = (vectors, nothing) if sources else (nothing, vectors)
    return Pairs(*sides, Pairs.of(nothing.repeat(2, 1), sentences).keys)
