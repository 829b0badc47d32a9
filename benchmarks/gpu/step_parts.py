"""The parts of the time of a training step: forward, head, losses, backward, optimiser."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

import torch
from stopwatch import Parts
from training_work import Candidate

PARTS = (
    "forward: encoder",
    "forward: head",
    "losses",
    "backward: losses and head",
    "backward: encoder",
    "optimiser",
)


def parts_of_steps(candidate: Candidate, device: torch.device) -> dict[str, float]:
    """The seconds of each of ``PARTS``, summed over one step on each sample."""
    parts = Parts(device)
    with _marked(candidate.trainee.model, parts):
        for sample in candidate.samples:
            candidate.trainee.step(candidate.criterion, sample, parts)
        return parts.seconds()


@contextmanager
def _marked(model: Any, parts: Parts) -> Iterator[None]:
    """Marks where encoder and head begin and end.

    Autograd runs the backward functions in reverse order, one block after the other. So the
    backward pass of a block's losses and head is over when the first gradient reaches the output of
    the encoder, and that of the encoder when one reaches its embedded tokens.
    """
    encoder, head = model.encoder.sentence_encoder, model.encoder.lm_head

    def begin(*_: Any) -> None:
        parts.mark("losses")

    def leave_head(*_: Any) -> None:
        parts.mark("forward: head")

    def leave_encoder(module: Any, args: Any, output: Any) -> None:
        parts.mark("forward: encoder")
        reached: list[torch.Tensor] = []

        def reach(gradient: torch.Tensor) -> None:
            if not reached:
                parts.mark("backward: losses and head")
            reached.append(gradient)

        for states in _tensors(output):
            states.register_hook(reach)

    def leave_embedding(module: Any, args: Any, output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: parts.mark("backward: encoder"))

    handles = [
        encoder.embed_tokens.register_forward_hook(leave_embedding),
        encoder.register_forward_pre_hook(begin),
        encoder.register_forward_hook(leave_encoder),
        head.register_forward_pre_hook(begin),
        head.register_forward_hook(leave_head),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """Yields all tensors that have a gradient, also those in tuples, lists and dicts."""
    if isinstance(output, torch.Tensor):
        if output.requires_grad:
            yield output
    elif isinstance(output, (tuple, list, dict)):
        for part in output.values() if isinstance(output, dict) else output:
            yield from _tensors(part)
