"""How ``fairseq-train`` ends when training diverges: with one line that says what to change."""

from __future__ import annotations

import functools
import os
import re
from typing import Any, Callable

from fairseq.trainer import Trainer

from fairseq_amber.errors import UserError, exit_clearly

# fairseq's words for one rank, and for several: NaN is never consistent.
_NOT_FINITE = re.compile(
    r"gradients are Nan/Inf|grad_norm across the workers.* = -?(nan|inf)\b", re.S
)
_DIVERGED = (
    "gradients are NaN or infinite; lower --lr or the weight of a term, raise --warmup-updates or "
    "a temperature near 0, or give --clip-norm 1"
)


def guard_divergence() -> None:
    """Makes the fairseq of this process end a training that diverges with one line.

    fairseq raises ``FloatingPointError`` after it has saved ``crash.pt``, has run the update again
    and has named the modules with a NaN in its log.
    """
    if not getattr(Trainer.train_step, "guarded", False):
        Trainer.train_step = _training(Trainer.train_step)


def _training(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Returns fairseq's ``Trainer.train_step`` with an error for users."""

    @functools.wraps(stock)
    @exit_clearly
    def train_step(trainer: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return stock(trainer, *args, **kwargs)
        except FloatingPointError as error:
            cause = _DIVERGED if _NOT_FINITE.search(str(error)) else str(error).strip()
            crash = os.path.join(trainer.cfg.checkpoint.save_dir, "crash.pt")
            raise UserError(
                f"training ended in update {trainer.get_num_updates() + 1}: {cause} ({crash} has "
                "the model of then)"
            ) from None

    train_step.guarded = True  # type: ignore[attr-defined]
    return train_step
