"""Rows that are gathered over ranks, and the gradient that comes back."""

import pytest
import torch

from fairseq_amber.criterions.gather import gather_rows
from gloo_ranks import run_on_ranks

COUNTS = (2, 0, 3)  # of rows on each rank


def test_on_one_rank_the_rows_are_those_of_all_ranks():
    rows = torch.randn(3, 2)
    gathered, offset = gather_rows(rows, 5)
    assert gathered is rows and offset == 0


def _gather(rank, world, out):
    """Each rank weights the gathered rows by its own number, from 1."""
    rows = torch.arange(2.0 * COUNTS[rank]).view(-1, 2) + 100 * rank
    rows.requires_grad_()
    gathered, offset = gather_rows(rows, max(COUNTS))
    weights = (rank + 1) * torch.arange(1.0, 1 + gathered.numel()).view_as(gathered)
    (gathered * weights).sum().backward()
    torch.save((gathered.detach(), offset, rows.detach(), rows.grad), f"{out}/{rank}.pt")


@pytest.mark.distributed
def test_ranks_with_fewer_rows_or_none_fill_up_with_zeros_and_get_the_sum_of_the_gradients(
    tmp_path,
):
    run_on_ranks(len(COUNTS), _gather, str(tmp_path))
    results = [torch.load(tmp_path / f"{rank}.pt") for rank in range(len(COUNTS))]
    padded = [
        torch.cat([rows, torch.zeros(max(COUNTS) - len(rows), 2)]) for _, _, rows, _ in results
    ]
    weights = torch.arange(1.0, 1 + 2 * max(COUNTS) * len(COUNTS)).view(-1, 2)
    for rank, (gathered, offset, rows, gradient) in enumerate(results):
        assert torch.equal(gathered, torch.cat(padded))
        own = slice(offset, offset + COUNTS[rank])
        assert torch.equal(gathered[own], rows)
        assert torch.equal(gradient, (1 + 2 + 3) * weights[own])
