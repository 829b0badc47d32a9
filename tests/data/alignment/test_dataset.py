import numpy as np
import pytest

from fairseq_amber.data.alignment.collater import Collater
from fairseq_amber.data.alignment.dataset import AlignmentDataset
from fairseq_amber.data.alignment.masking import Masking, MaskingRates
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.plan import MicroBatch

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)


class Pairs:
    parallel, name = True, "de-en"

    def __init__(self, pairs):
        self.pairs = pairs
        self.lengths = np.array([len(x) + len(y) for x, y in pairs], dtype=np.int32)
        self.empty = np.array([not len(x) or not len(y) for x, y in pairs])

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


class Sentences(Pairs):
    parallel, name = False, "de"

    def __init__(self, sentences):
        self.pairs = sentences
        self.lengths = np.array([len(x) for x in sentences], dtype=np.int32)
        self.empty = self.lengths == 0


def dataset(corpora, needs=None, max_length=64):
    masking = Masking(MaskingRates(), SPECIALS.mask, (4, 44))
    return AlignmentDataset(corpora, Collater(SPECIALS, needs or Needs(), masking), max_length)


X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])
NOTHING = np.array([], dtype=np.int64)


def test_a_batch_says_where_it_comes_from():
    data = dataset([Sentences([X, Y]), Pairs([(X, Y), (P, Q)])])
    assert len(data) == 4
    batch = data.collater([data[2], data[3]])
    assert batch["corpus"] == "de-en" and batch["parallel"] is True
    assert batch["corpora"] == ("de", "de-en")
    assert batch["nsentences"] == 2 and batch["id"].tolist() == [2, 3]
    assert batch["filler"] is False and batch["normalizers"] is None
    mono = data.collater([data[1]])
    assert mono["corpus"] == "de" and mono["parallel"] is False
    assert mono["net_input"]["src_tokens"].shape == (1, 4)
    assert data.collater([]) == {}


@pytest.mark.parametrize(
    "needs, rows", [(Needs(), 3), (Needs(alignment=False), 1), (Needs(tlm=False), 2)]
)
def test_the_cost_of_a_pair_counts_all_its_rows(needs, rows):
    data = dataset([Pairs([(X, Y)])], needs)
    batch = data.collater([data[0]])
    (source,) = data.sources()
    assert source.costs.tolist() == [8 * rows] == [batch["ntokens"]]
    assert source.predicted_counts.tolist() == [len(batch["target"])]


def test_predicted_counts_are_known_without_reading(random_sentences):
    sentences = random_sentences(50, 0, 1, 40)
    pairs = list(zip(random_sentences(50, 1), random_sentences(50, 2)))
    data = dataset([Sentences(sentences), Pairs(pairs)])
    for source in data.sources():
        batch = data.collater([data[i] for i in source.indices])
        assert len(batch["target"]) == source.predicted_counts.sum()
        assert source.costs.dtype == np.int32


def test_the_epoch_changes_the_masks(random_sentences):
    data = dataset([Sentences(random_sentences(20, 0, 8, 12))])
    first = data.collater([data[i] for i in range(20)])
    data.set_epoch(2)
    second = data.collater([data[i] for i in range(20)])
    assert not first["net_input"]["src_tokens"].equal(second["net_input"]["src_tokens"])


def test_long_sentences_are_cut_and_long_pairs_left_out():
    long = np.full(100, 7)
    data = dataset([Sentences([long, X]), Pairs([(long, Y), (X, Y)])], max_length=32)
    mono, pairs = data.sources()
    assert mono.costs.tolist() == [32, 5]
    assert pairs.indices.tolist() == [3]
    assert data.dropped == {("de-en", "longer than 32 tokens"): 1}
    row = data.collater([data[0]])["net_input"]["src_tokens"]
    assert row.shape == (1, 32) and row[0, -1] == 2


def test_a_row_of_the_longest_length_is_kept():
    data = dataset([Sentences([X]), Pairs([(X, Y)])], max_length=8)
    assert [source.costs.tolist() for source in data.sources()] == [[5], [24]]
    assert data.dropped == {}


def test_empty_sentences_and_pairs_with_an_empty_side_are_left_out_and_counted():
    long = np.full(100, 7)
    pairs = [(NOTHING, Y), (X, Y), (X, NOTHING), (NOTHING, NOTHING), (NOTHING, long)]
    data = dataset([Sentences([NOTHING, X]), Sentences([NOTHING]), Pairs(pairs)], max_length=32)
    mono, parallel = data.sources()
    assert mono.indices.tolist() == [1] and parallel.indices.tolist() == [4]
    assert data.dropped == {("de", "empty"): 1, ("de-en", "empty on a side"): 4}
    data.sources()
    assert data.dropped["de-en", "empty on a side"] == 4


def update_of(*steps, fillers=()):
    """The parallel micro-batches that one rank runs in one update."""
    batches = tuple(
        MicroBatch(np.array(indices), True, filler=number in fillers)
        for number, indices in enumerate(steps)
    )
    for number, batch in enumerate(batches):
        batch.update, batch.update_step = batches, number
    return batches


def test_the_first_step_of_an_update_brings_the_sentences_of_all_its_steps():
    data = dataset([Pairs([(X, Y), (P, Q), (Y, X)])], Needs(update_candidates=True))
    first, second = update_of([0, 1], [2], fillers=[1])
    batch = data.collater([data[item] for item in first])
    assert batch["update_step"] == 0
    here, there = batch["update_sentences"]
    assert here["tokens"].tolist() == [
        [0, 10, 11, 12, 2, 1],
        [0, 13, 2, 1, 1, 1],
        [0, 20, 21, 2, 1, 1],
        [0, 22, 23, 24, 25, 2],
    ]
    assert here["mask"].equal(here["tokens"] != 1)
    assert here["source_key"].equal(batch["source_key"]) and here["filler"] is False
    assert there["tokens"].tolist() == [[0, 20, 21, 2, 1], [0, 10, 11, 12, 2]]
    assert there["filler"] is True
    later = data.collater([data[item] for item in second])
    assert later["update_step"] == 1 and "update_sentences" not in later
    assert later["target_key"].equal(there["target_key"])


def test_no_sentences_of_other_steps_unless_wanted():
    data = dataset([Pairs([(X, Y), (P, Q)])])
    for batch in update_of([0], [1]):
        assert "update_step" not in data.collater([data[item] for item in batch])
    data = dataset([Pairs([(X, Y)])], Needs(update_candidates=True))
    assert "update_step" not in data.collater([data[item] for item in MicroBatch([0], True)])
