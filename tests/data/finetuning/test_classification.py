"""Rows of sentence pairs against a twin that cuts one token at a time."""

import numpy as np
import pytest

from fairseq_amber.data.finetuning.classification import ClassificationDataset, ClassificationGold
from fairseq_amber.data.finetuning.settings import RowSettings
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import PairMarks, Specials
from fairseq_amber.errors import UserError

BOS, PAD, EOS = 0, 1, 2


SPECIALS = Specials(bos=BOS, eos=EOS, pad=PAD, mask=44)


@pytest.fixture
def build(write_task, tmp_path):
    def make(pairs, **settings):
        splits = {("valid", "de"): pairs}
        folder = TaskFolder.open(write_task(tmp_path / "task", "xnli", splits, ["a", "b", "c"]))
        rows = RowSettings(SPECIALS, **settings)
        return ClassificationDataset(folder, "valid", ["de"], rows, training=False)

    return make


def random_pairs(seed, count, longest):
    rng = np.random.default_rng(seed)

    def sentence():
        return rng.integers(4, 44, rng.integers(1, longest + 1)).tolist()

    return [(sentence(), sentence(), int(rng.integers(-1, 3))) for _ in range(count)]


def cut_one_by_one(first, second, max_length):
    first, second = list(first), list(second)
    while len(first) + len(second) + 3 > max_length:
        (first if len(first) > len(second) else second).pop()
    return first, second


@pytest.mark.parametrize("max_length", [5, 6, 11, 12, 60])
@pytest.mark.parametrize("segments, reset", [(True, False), (False, True), (False, False)])
def test_the_longer_sentence_is_cut_first(build, max_length, segments, reset):
    pairs = random_pairs(0, 60, 14)
    marks = PairMarks(segments, "restart" if reset else "continuous")
    data = build(pairs, max_length=max_length, marks=marks)
    indices = list(range(59, -1, -1))
    batch = data.collater([data[i] for i in indices])
    net_input = batch["net_input"]
    assert ("segments" in net_input, "positions" in net_input) == (segments, reset)
    assert net_input["head"] == "classification"
    for row, index in enumerate(indices):
        x, y = cut_one_by_one(*pairs[index][:2], max_length)
        ids = [BOS, *x, EOS, *y, EOS]
        found = net_input["src_tokens"][row].tolist()
        assert found == ids + [PAD] * (len(found) - len(ids))
        assert data.sizes[index] == len(ids) <= max_length
        types = [0] * (len(x) + 2) + [1] * (len(y) + 1)
        if segments:
            assert net_input["segments"][row, : len(ids)].tolist() == types
        if reset:
            numbers = [*range(len(x) + 2), *range(len(y) + 1)]
            assert net_input["positions"][row, : len(ids)].tolist() == numbers
    labels = [pairs[i][2] for i in indices]
    assert batch["target"].tolist() == labels
    assert batch["target_count"] == sum(label >= 0 for label in labels)


def test_rows_that_hold_no_pair_are_refused(build):
    with pytest.raises(UserError, match="rows of 4 tokens .* two sentences: it takes 5"):
        build(random_pairs(0, 2, 3), max_length=4)


def test_pairs_without_a_label_are_not_scored(folder):
    pairs = [([5], [6], label) for label in (0, 2, 2, -1)]
    xnli = ClassificationGold(folder("xnli", pairs, ["a", "b", "c"]), "test", "de")
    assert (xnli.total, xnli.scored) == (4, 3)
    assert xnli.score(["a", "b", "c", "c"])["accuracy"] == pytest.approx(200 / 3)
    assert xnli.baseline()["accuracy"] == pytest.approx(200 / 3)
