"""What reads labels off an encoder's last states: heads of the tasks to fine-tune for.

Shapes: R rows, T tokens, D dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fairseq_amber.models.encoder import initialize


class TokenHead(nn.Module):
    """Scores of tokens: dropout, then linear, as BertForTokenClassification of transformers, with
    which XTREME tags."""

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., outputs)."""
        return self.out_proj(F.dropout(states, self.dropout, self.training))


class SentenceHead(nn.Module):
    """Scores of rows, from the state of their ``<s>``: dropout, dense, tanh, dropout, linear, as
    RoBERTa has it (Liu et al. 2019, arXiv 1907.11692)."""

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.dense = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(R, D) -> (R, outputs)."""
        x = F.dropout(states, self.dropout, self.training)
        x = F.dropout(torch.tanh(self.dense(x)), self.dropout, self.training)
        return self.out_proj(x)


class SpanHead(nn.Module):
    """Scores of tokens as the first and the last of an answer: linear, without ``dropout``, as
    BERT's run_squad.py has it (Devlin et al. 2019, arXiv 1810.04805, section 4.2)."""

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., outputs)."""
        return self.out_proj(states)


HEADS = {"tagging": TokenHead, "classification": SentenceHead, "qa": SpanHead}
