import pytest
import torch

from fairseq_amber.metrics.nearest_neighbours import TopK, cosine_tiles, nearest_neighbours


class Rows:
    """Unit rows in memory."""

    def __init__(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn(count, 6, generator=generator)
        self.rows = torch.nn.functional.normalize(vectors, dim=1)
        self.device = self.rows.device

    def __len__(self):
        return len(self.rows)

    def pieces(self, size):
        return ((start, self.rows[start : start + size]) for start in range(0, len(self), size))


@pytest.mark.parametrize("tile", [1, 3, 10, 100])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_tiles_agree_with_the_whole_matrix(tile, k):
    source, target = Rows(23, 0), Rows(17, 1)
    told = []
    found = nearest_neighbours(source, target, k, tile=tile, progress=told.append)
    cosine = source.rows @ target.rows.T
    for side, matrix in zip(found, (cosine, cosine.T)):
        values, columns = matrix.topk(min(k, matrix.shape[1]), dim=1)
        assert torch.equal(side.columns, columns)
        torch.testing.assert_close(side.values, values)
    assert sum(told) == 23 * 17


def test_tiles_cover_the_matrix_once():
    source, target = Rows(5, 0), Rows(4, 1)
    seen = torch.zeros(5, 4)
    for top, left, cosines in cosine_tiles(source, target, 3):
        seen[top : top + 3, left : left + 3] += 1
        assert cosines.shape == seen[top : top + 3, left : left + 3].shape
    assert seen.eq(1).all()


def test_equal_entries_fill_up_the_largest():
    top = TopK(2, 3, torch.device("cpu"))
    for left in range(0, 6, 2):
        top.update(torch.ones(2, 2), 0, left)
    assert top.values.eq(1).all()
    assert all(len(set(row)) == 3 for row in top.columns.tolist())
