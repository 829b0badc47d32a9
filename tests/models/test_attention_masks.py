import torch

from fairseq_amber.models.attention_masks import padding_mask, prefix_mask

PAD = 1

# AMBER, Figure 1a, |x| = |y| = 3: rows are queries x1 x2 x3 y1 y2 y3.
FIGURE = [
    [1, 1, 1, 0, 0, 0],
    [1, 1, 1, 0, 0, 0],
    [1, 1, 1, 0, 0, 0],
    [1, 1, 1, 0, 0, 0],
    [1, 1, 1, 1, 0, 0],
    [1, 1, 1, 1, 1, 0],
]


def test_prefix_mask_is_the_papers_figure():
    mask = prefix_mask(torch.full((1, 6), 9), PAD, torch.tensor([3]))
    assert mask[0, 0].int().tolist() == FIGURE


def test_rows_of_one_batch_have_masks_of_their_own():
    tokens = torch.tensor([[9, 9, 9, 9, 9, 9], [9, 9, 9, 9, PAD, PAD], [9, 9, 9, PAD, PAD, PAD]])
    mask = prefix_mask(tokens, PAD, torch.tensor([3, 4, 1]))[:, 0]
    assert mask[0].int().tolist() == FIGURE
    # a prefix as long as the row: ordinary attention
    assert mask[1, :4].int().tolist() == [[1, 1, 1, 1, 0, 0]] * 4
    assert mask[2, :3].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
    ]
    assert mask.any(dim=-1).all(), "a query without a key would be NaN"
    assert not mask[1:, :, 4:].any(), "nobody attends to padding"


def test_padding_mask_hides_padding_alone():
    mask = padding_mask(torch.tensor([[0, 5, 2, PAD]]), PAD)
    assert mask.shape == (1, 1, 1, 4)
    assert mask.flatten().tolist() == [True, True, True, False]
