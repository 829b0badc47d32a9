"""All corpora of a split behind one index: what is usable, what it costs, and its batches."""

import numpy as np
import pytest

from fairseq_amber.data.alignment.block_rows import BlockCorpus
from fairseq_amber.data.alignment.corpora import MonolingualCorpus, ParallelCorpus
from fairseq_amber.data.alignment.dataset import AlignmentDataset
from fairseq_amber.data.alignment.needs import Needs
from fairseq_amber.data.plan import MicroBatch
from toy_examples import collater, content, places, stored

X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])
NOTHING = np.array([], dtype=np.int64)
LONG = np.full(100, 7)
OWN_ROWS = Needs(tlm=False, alignment=False, sentences=True)


@pytest.fixture
def sentences(tmp_path):
    """Builds a corpus of sentences; with a ``capacity``, in rows of several lines."""

    def build(lines, name="de", capacity=None, **settings):
        file = stored(tmp_path / name, lines)
        if capacity is None:
            return MonolingualCorpus(name, file)
        return BlockCorpus(name, file, capacity, **settings)

    return build


@pytest.fixture
def pairs(tmp_path):
    """Builds a corpus of pairs."""

    def build(both, name="de-en"):
        sides = (stored(tmp_path / f"{name}.{n}", side) for n, side in enumerate(zip(*both)))
        return ParallelCorpus(name, *sides)

    return build


def dataset(corpora, needs=None, max_length=64, **settings):
    return AlignmentDataset(corpora, collater(needs, **settings), max_length)


def batch_of(data, indices):
    return data.collater([data[index] for index in indices])


def contents(batch):
    return [one for block in batch["blocks"] for one in content(block)]


def test_a_batch_says_where_it_comes_from(sentences, pairs):
    data = dataset([sentences([X, Y, LONG]), pairs([(X, Y), (P, Q)]), pairs([(Q, P)], "tr-en")])
    assert len(data) == 6 and data.offsets == [0, 3, 5, 6]
    mixed = batch_of(data, [5, 2, 3, 0, 4])
    assert mixed["corpus"] is None and mixed["corpora"] == ("de", "de-en", "tr-en")
    assert (mixed["nsentences"], mixed["npairs"]) == (5, 3)
    ids = mixed["id"].tolist()
    assert (set(ids[:2]), set(ids[2:])) == ({0, 2}, {3, 4, 5})  # sentences first
    assert mixed["pairs"]["corpus"].tolist() == [2 if index == 5 else 1 for index in ids[2:]]
    assert mixed["filler"] is False and mixed["normalizers"] is None and mixed["step"] == 0
    assert batch_of(data, [3, 4])["corpus"] == "de-en"
    mono = batch_of(data, [1])
    assert mono["corpus"] == "de" and mono["npairs"] == 0
    assert mono["blocks"][0]["net_input"]["src_tokens"].shape == (1, 4)
    assert data.collater([]) == {}


def test_the_plan_s_facts_reach_the_batch(sentences):
    data = dataset([sentences([X, Y])])
    normalizers = {"mlm_tokens": 3}
    batch = batch_of(data, MicroBatch(np.array([1]), True, normalizers, np.array([8]), step=2))
    assert batch["filler"] is True and batch["normalizers"] is normalizers and batch["step"] == 2


@pytest.mark.parametrize(
    "needs",
    [
        Needs(),
        Needs(others=True),
        Needs(alignment=False),
        Needs(tlm=False),
        Needs(alignment=False, sentences=True),
        OWN_ROWS,
    ],
)
def test_an_example_costs_what_its_rows_take_up(sentences, pairs, needs):
    data = dataset([sentences([X, P, Q]), pairs([(X, Y), (P, Q), (Q, P)])], needs)
    for source in data.sources():
        batches = [batch_of(data, [index]) for index in source.indices]
        assert source.costs.tolist() == [places(batch) for batch in batches]
        assert source.predicted_counts(source.indices).tolist() == [
            sum(len(block["target"]) for block in batch["blocks"]) for batch in batches
        ]
        assert source.costs.dtype == source.predicted_counts(source.indices).dtype == np.int32


@pytest.mark.parametrize("max_length", [8, 12])
@pytest.mark.parametrize(
    "needs",
    [Needs(), OWN_ROWS, Needs(tlm=False), Needs(alignment=False, sentences=True)],
    ids=["joined", "apart", "word alignment", "both"],
)
def test_a_pair_is_left_out_exactly_if_one_of_its_rows_is_too_long(
    pairs, random_sentences, needs, max_length
):
    """By brute force: the rows of every pair are made, and measured."""
    both = list(zip(random_sentences(60, 1, 1, 12), random_sentences(60, 2, 1, 12)))
    corpus = pairs(both)
    whole = dataset([corpus], needs, 64)
    usable, costs = [], []
    for index in range(len(both)):
        batch = batch_of(whole, [index])
        (block,) = batch["blocks"]
        rows = [block["net_input"]["src_tokens"]]
        rows += [block["sentences"]["tokens"]] if "sentences" in block else []
        if max(row.size(1) for row in rows if row.size(0)) <= max_length:
            usable.append(index)
            costs.append(places(batch))
    data = dataset([corpus], needs, max_length)
    (source,) = data.sources()
    assert 0 < len(usable) < len(both)
    assert source.indices.tolist() == usable and source.costs.tolist() == costs
    ((name, reason),) = data.dropped
    limit = ", both sides in one row" if needs.rows_per_pair else " on a side"
    assert reason == f"longer than {max_length} tokens{limit}"


def test_predicted_counts_are_known_without_reading(sentences, pairs, random_sentences):
    both = list(zip(random_sentences(50, 1), random_sentences(50, 2)))
    data = dataset([sentences(random_sentences(50, 0, 1, 40)), pairs(both)])
    for source in data.sources():
        blocks = batch_of(data, source.indices)["blocks"]
        assert (
            sum(len(b["target"]) for b in blocks) == source.predicted_counts(source.indices).sum()
        )


def test_the_epoch_and_the_draw_change_the_masks(sentences, random_sentences):
    data = dataset([sentences(random_sentences(20, 0, 8, 12))])

    def masked(draws=None):
        batch = batch_of(data, MicroBatch(np.arange(20), draws=draws))
        return dict(zip(batch["id"].tolist(), contents(batch)))

    first = masked()
    assert masked(np.arange(20)) == first == masked()
    assert sum(first[n] == one for n, one in masked(np.arange(20) + 100).items()) < 5
    swapped = masked(np.array([1, 0, *range(2, 20)]))
    assert {n for n in first if first[n] != swapped[n]} == {0, 1}
    data.set_epoch(2)
    assert sum(first[n] == one for n, one in masked().items()) < 5


def test_long_sentences_are_cut_and_long_pairs_left_out(sentences, pairs):
    data = dataset([sentences([LONG, X]), pairs([(LONG, Y), (X, Y)])], max_length=32)
    mono, parallel = data.sources()
    assert mono.costs.tolist() == [32, 5]
    assert parallel.indices.tolist() == [3]
    assert data.dropped == {("de-en", "longer than 32 tokens, both sides in one row"): 1}
    (row,) = contents(batch_of(data, [0]))[0]["rows"]
    assert len(row) == 32 and row[-1] == 2


def test_a_row_of_the_longest_length_is_kept(sentences, pairs):
    data = dataset([sentences([X]), pairs([(X, Y)])], max_length=8)
    assert [source.costs.tolist() for source in data.sources()] == [[5], [24]]
    assert data.dropped == {}


def test_empty_sentences_and_pairs_with_an_empty_side_are_left_out_and_counted(sentences, pairs):
    both = [(NOTHING, Y), (X, Y), (X, NOTHING), (NOTHING, NOTHING), (NOTHING, LONG)]
    corpora = [sentences([NOTHING, X]), sentences([NOTHING], "en"), pairs(both)]
    data = dataset(corpora, max_length=32)
    mono, parallel = data.sources()
    assert mono.indices.tolist() == [1] and parallel.indices.tolist() == [4]
    dropped = {("de", "empty"): 1, ("en", "empty"): 1, ("de-en", "empty on a side"): 4}
    assert data.dropped == dropped
    data.sources()
    assert data.dropped == dropped


def test_rows_of_several_lines(sentences):
    lines = [X, Y, NOTHING, P, LONG]
    data = dataset([sentences(lines, capacity=9)], max_length=11, probability=0)
    (source,) = data.sources()
    assert source.costs.tolist() == [10, 11] and data.dropped == {}
    rows = [contents(batch_of(data, [index]))[0]["rows"][0] for index in source.indices]
    assert rows == [[0, *X, 2, *Y, 2, *P, 2], [0, *LONG[:9], 2]]


def test_rows_of_two_segments(sentences):
    corpus = sentences([X, Y, NOTHING, P], capacity=8, separated=False, documents=True)
    data = dataset([corpus], Needs(others=True), max_length=11, probability=0)
    (source,) = data.sources()
    two, one = (contents(batch_of(data, [index]))[0] for index in source.indices)
    assert two["rows"] == [[0, *X, 2, *Y, 2]] and two["segments"] == [[0] * 5 + [1] * 3]
    assert two["own"] == [([0, *X, *Y, 2], [*range(7)])]
    assert one["rows"] == [[0, *P, 2]] and "segments" not in one
    # The row that is masked, and that of the candidate; a row of one line might have had two.
    assert source.costs.tolist() == [2 * 8, 2 * 4]


def update_of(*steps, fillers=()):
    """The micro-batches that one rank runs in one update."""
    batches = tuple(
        MicroBatch(np.array(indices), filler=number in fillers, step=number)
        for number, indices in enumerate(steps)
    )
    batches[0].update = batches
    return batches


@pytest.mark.parametrize("others", [True, False])
def test_the_first_step_of_an_update_brings_the_sentences_of_each_of_its_steps(
    sentences, pairs, others
):
    corpora = [sentences([Q]), pairs([(X, Y), (P, Q), (Y, X)])]
    data = dataset(corpora, Needs(update_candidates=True, others=others))
    steps = update_of([1, 0, 2], [3], [0], fillers=[2])
    batch, *later = (batch_of(data, step) for step in steps)
    assert [one["step"] for one in (batch, *later)] == [0, 1, 2]
    assert not any("update_sentences" in one for one in later)
    found = batch["update_sentences"]
    assert [one["filler"] for one in found] == [False, False, True]
    names = ["pairs", "others"] if others else ["pairs"]
    for here, there in zip((batch, *later), found):
        assert set(there) == {"filler", *names}
        for name in names:
            for key in ("corpus", "source_key", "target_key"):
                assert there[name][key].equal(here[name][key])
    (first,), (second,), third = (one["pairs"]["blocks"] for one in found)
    assert first["tokens"].tolist() == [
        [0, 10, 11, 12, 2, 1],
        [0, 13, 2, 1, 1, 1],
        [0, 20, 21, 2, 1, 1],
        [0, 22, 23, 24, 25, 2],
    ]
    assert first["mask"].equal(first["tokens"] != 1)
    assert second["tokens"].tolist() == [[0, 20, 21, 2, 1], [0, 10, 11, 12, 2]] and third == []
    if others:
        rows = [[b["tokens"].tolist() for b in one["others"]["blocks"]] for one in found]
        assert rows == [[[[0, *Q, 2]]], [], [[[0, *Q, 2]]]]


def test_no_sentences_of_other_steps_unless_wanted(pairs):
    corpus = pairs([(X, Y), (P, Q)])
    for step in update_of([0], [1]):
        assert "update_sentences" not in batch_of(dataset([corpus]), step)
    data = dataset([corpus], Needs(update_candidates=True))
    assert "update_sentences" not in batch_of(data, MicroBatch(np.array([0])))
    assert "update_sentences" not in batch_of(data, [0])
