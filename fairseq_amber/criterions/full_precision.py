"""State of a criterion that must not be halved."""

from __future__ import annotations

from torch import nn


class FullPrecision(nn.Module):
    """A module that moves between devices but keeps its types: fairseq halves a criterion under
    ``--fp16`` and ``--bf16``, where ``1 - momentum`` is less than a weight's spacing."""

    def _apply(self, fn, *args, **kwargs):
        return super()._apply(lambda t: t.to(fn(t.new_empty(0)).device), *args, **kwargs)
