"""The heads of fine-tuning tasks, which turn the last states of the encoder into scores of labels.

Shapes: R rows, T tokens, D dimensions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fairseq_amber.models.encoder import initialize


class TokenHead(nn.Module):
    """Scores tokens: dropout, then a linear layer.

    This is BertForTokenClassification of transformers, which XTREME uses for tagging.
    """

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Scores the states of tokens: (..., D) -> (..., outputs)."""
        return self.out_proj(F.dropout(states, self.dropout, self.training))


class SentenceHead(nn.Module):
    """Scores rows by the state of their ``<s>``: dropout, dense, tanh, dropout, linear.

    This is the head of RoBERTa (Liu et al. 2019, arXiv 1907.11692).
    """

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.dense = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Scores the states of the rows' first tokens: (R, D) -> (R, outputs)."""
        x = F.dropout(states, self.dropout, self.training)
        x = F.dropout(torch.tanh(self.dense(x)), self.dropout, self.training)
        return self.out_proj(x)


class SpanHead(nn.Module):
    """Scores tokens as the first and as the last token of an answer: a linear layer.

    This is the head of BERT's run_squad.py (Devlin et al. 2019, arXiv 1810.04805, section 4.2),
    which has no dropout; the argument ``dropout`` is unused.
    """

    def __init__(self, dim: int, outputs: int, dropout: float):
        super().__init__()
        self.out_proj = nn.Linear(dim, outputs)
        self.apply(initialize)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Scores the states of tokens: (..., D) -> (..., outputs)."""
        return self.out_proj(states)


HEADS = {"tagging": TokenHead, "classification": SentenceHead, "qa": SpanHead}
