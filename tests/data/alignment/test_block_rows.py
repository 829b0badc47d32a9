import pickle

import numpy as np
import pytest
from fairseq.data import TokenBlockDataset
from fairseq.data.indexed_dataset import MMapIndexedDataset

from fairseq_amber.data.alignment import block_rows
from fairseq_amber.data.alignment.block_rows import BlockCorpus, second_segment
from fairseq_amber.data.counter_random import stream_keys
from fairseq_amber.data.token_file import DatasetWriter, TokenFile

EOS = 2
STYLES = [(s, d) for s in (False, True) for d in (False, True)]


def write(prefix, lengths):
    """Writes lines of these lengths, whose tokens are numbered from 10 on through the text."""
    numbers = iter(range(10, 60_000))
    lines = [[next(numbers) for _ in range(length)] + [EOS] for length in lengths]
    writer = DatasetWriter(prefix, np.uint16)
    writer.add(np.array(sum(lines, [])), np.array([len(line) for line in lines]))
    writer.finish()
    writer.close()
    return TokenFile(prefix)


def random_lengths(seed, empty=0.2):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, 10, 150)
    lengths[draw.random(150) < 0.05] = 40
    return np.where(draw.random(150) < empty, 0, lengths).tolist()


def rows_of(corpus):
    return [corpus[i].tolist() for i in range(len(corpus))]


def slow_rows(sentences, capacity, separated, documents):
    """The rows line by line, each as a list of lines."""
    rows, row = [], []
    for line in (sentences[i].tolist()[:-1] for i in range(len(sentences))):
        filled = sum(map(len, row)) + separated * len(row) + len(line)
        if row and (filled > capacity if line else documents):
            rows.append(row)
            row = []
        if line:
            row.append(line)
    return rows + [row] * bool(row)


def fairseq_rows(sentences, capacity, break_mode):
    theirs = MMapIndexedDataset(str(sentences.prefix))
    blocks = TokenBlockDataset(
        theirs, theirs.sizes, capacity + 1, pad=1, eos=EOS, break_mode=break_mode
    )
    blocks = [blocks[i].tolist() for i in range(len(blocks))]
    assert all(block[-1] == EOS for block in blocks)
    return [block[:-1] for block in blocks]


@pytest.mark.parametrize("capacity", [1, 9, 25, 39, 10_000])
@pytest.mark.parametrize("documents, empty", [(False, 0), (True, 0), (True, 0.2)])
def test_rows_are_those_of_fairseq_but_long_lines_are_cut(tmp_path, capacity, documents, empty):
    sentences = write(tmp_path / "train", random_lengths(1, empty))
    theirs = fairseq_rows(sentences, capacity, "complete_doc" if documents else "complete")
    ours = BlockCorpus("de", sentences, capacity, documents=documents)
    assert rows_of(ours) == [row[:capacity] for row in theirs]
    assert any(len(row) > capacity for row in theirs) == (capacity < 40)


def test_unlike_fairseq_s_rows_ours_hold_nothing_of_an_empty_line(tmp_path):
    sentences = write(tmp_path / "train", [1, 0, 1])
    assert fairseq_rows(sentences, 9, "complete") == [[10, EOS, EOS, 11]]
    assert rows_of(BlockCorpus("de", sentences, 9)) == [[10, EOS, 11]]


@pytest.mark.parametrize("at_once", [1, 7, 30_000])
@pytest.mark.parametrize("capacity", [1, 9, 25, 10_000])
@pytest.mark.parametrize("separated, documents", STYLES)
def test_rows_hold_all_lines_in_order(
    tmp_path, monkeypatch, at_once, capacity, separated, documents
):
    monkeypatch.setattr(block_rows, "_CUT_TOGETHER", at_once)
    sentences = write(tmp_path / "train", [0, 0, *random_lengths(2), 0])
    corpus = BlockCorpus("de", sentences, capacity, separated=separated, documents=documents)
    slow = slow_rows(sentences, capacity, separated, documents)
    assert len(corpus) == len(slow)
    assert sum(map(len, slow)) == (sentences.sizes > 1).sum()
    for i, lines in enumerate(slow):
        row = [token for line in lines for token in line + [EOS] * separated]
        row = row[: len(row) - separated][:capacity]
        assert corpus[i].dtype == np.int64
        assert corpus[i].tolist() == row
        starts = corpus.line_starts(i)
        assert starts.dtype == np.int64
        assert corpus[i][starts].tolist() == [line[0] for line in lines]
    lengths = corpus.lengths
    assert lengths.dtype == np.int32
    assert lengths.tolist() == [len(row) for row in rows_of(corpus)]
    assert lengths.min() > 0 and lengths.max() <= capacity
    assert corpus.empty.tolist() == [False] * len(slow)
    assert not corpus.parallel


@pytest.mark.parametrize("at_once", [1, 2, 30_000])
@pytest.mark.parametrize(
    "separated, documents, rows",
    [
        (True, False, [[10, 11, EOS, 12], [13, 14, 15, 16], [17]]),
        (True, True, [[10, 11], [12], [13, 14, 15, 16], [17]]),
        (False, False, [[10, 11, 12], [13, 14, 15, 16], [17]]),
        (False, True, [[10, 11], [12], [13, 14, 15, 16], [17]]),
    ],
)
def test_empty_lines_and_a_long_line(tmp_path, monkeypatch, at_once, separated, documents, rows):
    monkeypatch.setattr(block_rows, "_CUT_TOGETHER", at_once)
    sentences = write(tmp_path / "train", [0, 2, 0, 0, 1, 4, 1, 0])
    corpus = BlockCorpus("de", sentences, 4, separated=separated, documents=documents)
    assert rows_of(corpus) == rows
    sentences = write(tmp_path / "long", [0, 2, 0, 0, 1, 4000])
    corpus = BlockCorpus("de", sentences, 4, separated=separated, documents=documents)
    assert rows_of(corpus) == rows[:-1]
    assert corpus.line_starts(len(corpus) - 1).tolist() == [0]


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_a_text_without_words_has_no_rows(tmp_path, lengths):
    writer = DatasetWriter(tmp_path / "train", np.uint16)
    writer.add(np.full(len(lengths), EOS), np.ones(len(lengths)))
    writer.finish()
    writer.close()
    corpus = BlockCorpus("de", TokenFile(tmp_path / "train"), 9)
    assert len(corpus) == len(corpus.lengths) == len(corpus.empty) == 0


def test_rows_need_room(tmp_path):
    with pytest.raises(ValueError, match="capacity must be at least 1, not 0"):
        BlockCorpus("de", write(tmp_path / "train", [1]), 0)


def test_a_caller_cannot_change_the_lengths(tmp_path):
    corpus = BlockCorpus("de", write(tmp_path / "train", [3]), 9)
    corpus.lengths[0] = 0
    assert corpus.lengths.tolist() == [3]


@pytest.mark.parametrize("separated, documents", STYLES)
def test_a_process_receives_the_bounds_of_rows_and_no_text(tmp_path, separated, documents):
    sentences = write(tmp_path / "train", random_lengths(3) * 4)
    corpus = BlockCorpus("de", sentences, 200, separated=separated, documents=documents)
    sent = pickle.dumps(corpus)
    assert len(sent) < 1000 + 8 * len(corpus)
    received = pickle.loads(sent)
    assert received.name == "de"
    assert (received.lengths == corpus.lengths).all()
    assert rows_of(received) == rows_of(corpus)
    assert received.line_starts(1).tolist() == corpus.line_starts(1).tolist()


def test_every_boundary_is_equally_likely_to_begin_the_second_segment():
    starts = np.array([0, 3, 4, 9, 17])
    keys = stream_keys(1, 1, np.arange(4000))
    drawn = np.array([second_segment(starts, key) for key in keys])
    assert drawn.tolist() == [second_segment(starts, key) for key in keys]
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [3, 4, 9, 17]
    assert abs(counts / 4000 - 0.25).max() < 0.03


def test_two_lines_have_one_boundary_and_one_line_has_none():
    for key in stream_keys(1, 1, np.arange(20)):
        assert second_segment(np.array([0, 6]), key) == 6
        assert second_segment(np.array([0]), key) is None


def test_both_segments_hold_whole_lines_of_one_document(tmp_path):
    sentences = write(tmp_path / "train", random_lengths(4))
    corpus = BlockCorpus("de", sentences, 30, separated=False, documents=True)
    slow = slow_rows(sentences, 30, False, True)
    boundaries = 0
    for i, key in enumerate(stream_keys(1, 1, np.arange(len(corpus)))):
        second = second_segment(corpus.line_starts(i), key)
        assert (second is None) == (len(slow[i]) == 1)
        if second is not None:
            assert corpus[i][second] in [line[0] for line in slow[i][1:]]
            boundaries += 1
    assert boundaries > 5
