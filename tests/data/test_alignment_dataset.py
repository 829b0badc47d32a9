import numpy as np
import pytest
import torch

from fairseq_amber.data.alignment_dataset import AlignmentDataset, Needs
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.masking import MaskingRates

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)


class Pairs:
    parallel, name = True, "de-en"

    def __init__(self, pairs):
        self.pairs = pairs
        self.lengths = np.array([len(x) + len(y) for x, y in pairs])

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


class Sentences(Pairs):
    parallel, name = False, "de"

    def __init__(self, sentences):
        self.pairs = sentences
        self.lengths = np.array([len(x) for x in sentences])


def dataset(corpora, needs=None, max_length=64, seed=1):
    return AlignmentDataset(
        corpora, SPECIALS, (4, 44), needs or Needs(), MaskingRates(), max_length, seed
    )


X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])


def test_rows_of_pairs_as_drawn():
    data = dataset([Pairs([(X, Y), (P, Q)])])
    batch = data.collater([data[0], data[1]])
    tokens = batch["net_input"]["src_tokens"]
    assert tokens.shape == (6, 8)
    assert tokens[2:].tolist() == [
        [0, 10, 11, 12, 2, 20, 21, 2],
        [0, 13, 2, 22, 23, 24, 25, 2],
        [0, 20, 21, 2, 10, 11, 12, 2],
        [0, 22, 23, 24, 25, 2, 13, 2],
    ]
    assert batch["net_input"]["prefix_lengths"].tolist() == [8, 8, 5, 3, 4, 6]
    queries, keys = batch["net_input"]["cross"]
    assert queries.tolist() == [[5, 6, 0, 0], [3, 4, 5, 6], [4, 5, 6, 0], [6, 0, 0, 0]]
    assert keys.tolist() == [[1, 2, 3, 0], [1, 0, 0, 0], [1, 2, 0, 0], [1, 2, 3, 4]]
    assert batch["source_mask"].int().tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert batch["target_mask"].int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["sentence_mask"].int().tolist() == [
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
    ]
    assert batch["ntokens"] == 3 * 16 and batch["nsentences"] == 2


def test_masked_tokens_point_at_the_masked_rows_and_targets_are_the_originals():
    data = dataset([Pairs([(X, Y), (P, Q)])])
    batch = data.collater([data[0], data[1]])
    tokens = batch["net_input"]["src_tokens"]
    flat = batch["net_input"]["masked_tokens"]
    assert len(flat) == 2  # one of five tokens each
    clean = tokens[2:4].flatten()
    assert (flat < 2 * tokens.size(1)).all()
    assert batch["target"].tolist() == clean[flat].tolist()
    untouched = torch.ones(2 * tokens.size(1), dtype=torch.bool)
    untouched[flat] = False
    assert tokens[:2].flatten()[untouched].tolist() == clean[untouched].tolist()


def test_special_tokens_can_be_left_out_of_the_mean():
    data = dataset([Pairs([(X, Y)])], Needs(include_specials=False))
    batch = data.collater([data[0]])
    assert batch["sentence_mask"].int().tolist() == [
        [0, 1, 1, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    "needs, rows", [(Needs(), 3), (Needs(alignment=False), 1), (Needs(tlm=False), 2)]
)
def test_only_the_needed_rows_are_made_and_their_cost_is_counted(needs, rows):
    data = dataset([Pairs([(X, Y)])], needs)
    batch = data.collater([data[0]])
    assert batch["net_input"]["src_tokens"].shape == (rows, 8)
    (source,) = data.sources()
    assert source.costs.tolist() == [8 * rows]
    assert source.predicted.tolist() == [len(batch["target"])]


def test_the_mask_of_an_example_depends_on_seed_epoch_and_index_alone(random_sentences):
    sentences = random_sentences(20, 0, 8, 12)
    data, other = dataset([Sentences(sentences)]), dataset([Sentences(sentences)], seed=2)

    def masked(data, indices):
        batch = data.collater([data[i] for i in indices])
        return {
            i: row[row != 1].tolist() for i, row in zip(indices, batch["net_input"]["src_tokens"])
        }

    together = masked(data, range(20))
    assert {**masked(data, range(10)), **masked(data, range(19, 9, -1))} == together
    assert masked(other, range(20)) != together
    data.set_epoch(2)
    assert masked(data, range(20)) != together


def test_predicted_counts_are_known_without_reading(random_sentences):
    sentences = random_sentences(50, 0, 1, 40)
    pairs = list(zip(random_sentences(50, 1), random_sentences(50, 2)))
    data = dataset([Sentences(sentences), Pairs(pairs)])
    for source in data.sources():
        batch = data.collater([data[i] for i in source.indices])
        assert len(batch["target"]) == source.predicted.sum()


def test_long_sentences_are_cut_and_long_pairs_left_out():
    long = np.full(100, 7)
    data = dataset([Sentences([long, X]), Pairs([(long, Y), (X, Y)])], max_length=32)
    mono, pairs = data.sources()
    assert mono.costs.tolist() == [32, 5]
    assert pairs.indices.tolist() == [3] and data.dropped == {"de-en": 1}
    row = data.collater([data[0]])["net_input"]["src_tokens"]
    assert row.shape == (1, 32) and row[0, -1] == 2


def test_equal_targets_have_equal_keys():
    data = dataset([Pairs([(X, Y), (P, Y.copy()), (X, Q)])])
    keys = data.collater([data[i] for i in range(3)])["target_key"]
    assert keys[0] == keys[1] != keys[2]
