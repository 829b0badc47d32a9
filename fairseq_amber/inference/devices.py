"""The device to compute on."""

from __future__ import annotations

import torch

from fairseq_amber.errors import UserError


def find_device(name: str | None) -> torch.device:
    """The device of that name; without one, a GPU if there is one.

    Raises:
        UserError: it cannot be used.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used: {reason}") from None
    return device
