"""Several files as one answer as a single file of the same sentences does."""

import pickle

import numpy as np
import pytest

from fairseq_amber.data.joined_token_file import JoinedTokenFile
from fairseq_amber.data.kept_words import KeptWordWriter
from fairseq_amber.data.token_file import TokenFile
from fairseq_amber.data.words import WordFinder
from toy_corpora import write_binarised

PARTS = [[[5, 6], [7]], [[8, 9, 10]], [[], [11, 12]]]
WHOLE = [sentence for part in PARTS for sentence in part]


@pytest.fixture
def joined(tmp_path):
    for number, part in enumerate(PARTS):
        write_binarised(tmp_path / f"train{number or ''}", part)
    return JoinedTokenFile([TokenFile(tmp_path / f"train{n or ''}") for n in range(len(PARTS))])


@pytest.fixture
def whole(tmp_path):
    write_binarised(tmp_path / "whole", WHOLE)
    return TokenFile(tmp_path / "whole")


def test_equals_one_file(joined, whole):
    again = pickle.loads(pickle.dumps(joined))
    for file in (joined, again):
        assert len(file) == len(whole) and file.tokens == whole.tokens
        assert file.sizes.tolist() == whole.sizes.tolist()
        for index in range(len(whole)):
            assert file[index].tolist() == whole[index].tolist()
            assert file.place(index) == whole.place(index)
        for sentences in range(len(whole) + 2):
            for found, expected in zip(file.head(sentences), whole.head(sentences)):
                assert found.tolist() == expected.tolist()

        def flags(tokens, start):
            return (tokens + np.arange(start, start + len(tokens))) % 3 == 0

        assert file.count(flags).tolist() == whole.count(flags).tolist()


def test_words_that_are_kept_beside_each_file(joined, whole):
    symbols = [f"w{i}" for i in range(20)]
    for file in (*joined.files, whole):
        starts = np.concatenate([[i != 1 or size < 3 for i in range(size)] for size in file.sizes])
        writer = KeptWordWriter(file.prefix, "moses")
        writer.add(starts)
        writer.finish()
        writer.close()
    finder = WordFinder("moses", symbols, [0, 1, 2, 3], flag="--words")
    ours, wanted = finder.words(joined), finder.words(whole)
    assert ours.counts().tolist() == wanted.counts().tolist()
    for index in range(len(whole)):
        tokens = whole[index]
        assert ours.starts(index, tokens).tolist() == wanted.starts(index, tokens).tolist()
