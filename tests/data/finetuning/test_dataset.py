"""What the datasets of all kinds share: languages side by side, fillers, and short helpers."""

import numpy as np
import pytest

from fairseq_amber.data.finetuning.dataset import joined, offsets, subword_capacity
from fairseq_amber.data.finetuning.settings import RowSettings
from fairseq_amber.data.finetuning.tagging import TaggingDataset
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.plan import MicroBatch
from fairseq_amber.errors import UserError

SPECIALS = Specials(bos=0, eos=2, pad=1, mask=44)


def random_sentences(seed, count):
    rng = np.random.default_rng(seed)
    return [
        [(rng.integers(4, 44, 2).tolist(), int(rng.integers(-1, 2)), 0) for _ in range(length)]
        for length in rng.integers(1, 20, count)
    ]


@pytest.fixture
def build(write_task, tmp_path):
    def make(splits, max_length, languages=("en",)):
        folder = TaskFolder.open(write_task(tmp_path / "task", "pos", splits, ["A", "B"]))
        settings = RowSettings(SPECIALS, max_length)
        return TaggingDataset(folder, "train", languages, settings, training=True)

    return make


def test_several_languages_are_one_after_the_other(build):
    splits = {("train", "en"): random_sentences(0, 3), ("train", "de"): random_sentences(1, 4)}
    data = build(splits, 20, ["en", "de"])
    assert len(data) == 7
    assert [data.locate(i) for i in (0, 2, 3, 6)] == [("en", 0), ("en", 2), ("de", 0), ("de", 3)]
    alone = build({("train", "en"): splits["train", "de"]}, 20)
    for mine, other in zip(data[5]["rows"], alone[2]["rows"]):
        assert np.array_equal(mine, other)


def test_a_filler_does_not_count(build):
    data = build({("train", "en"): random_sentences(0, 3)}, 20)
    batch = MicroBatch(np.array([1, 2]), filler=True)
    made = data.collater([data[item] for item in batch])
    assert made["filler"] is True and made["id"].tolist() == [1, 2]
    assert data.collater([]) == {}


def test_offsets_and_joined_arrays():
    assert offsets([2, 0, 3]).tolist() == [0, 2, 2, 5] and offsets([]).tolist() == [0]
    parts = [{"a": np.array([1, 2])}, {"a": np.array([3])}]
    assert joined(parts, "a").tolist() == [1, 2, 3]


def test_the_room_of_a_row():
    assert subword_capacity(RowSettings(SPECIALS, 10), 3, 7, "two sentences") == 7
    with pytest.raises(UserError, match="rows of 10 tokens .* for a pair: it takes 11 with"):
        subword_capacity(RowSettings(SPECIALS, 10), 3, 8, "a pair")
