"""Tagging rows against a slow twin that goes word by word."""

import numpy as np
import pytest
import torch

from fairseq_amber.data.finetuning.settings import RowSettings
from fairseq_amber.data.finetuning.tagging import TaggingDataset, TaggingGold
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.errors import UserError

BOS, PAD, EOS = 0, 1, 2


SPECIALS = Specials(bos=BOS, eos=EOS, pad=PAD, mask=44)


LABELS = ["O", "A", "B"]


def random_sentences(seed, count, longest_word=3, longest_sentence=30):
    rng = np.random.default_rng(seed)

    def word():
        size = rng.integers(1, longest_word + 1)
        head = int(rng.random() < 0.2) if size > 1 else 0
        return rng.integers(4, 44, size).tolist(), int(rng.integers(-1, 3)), head

    return [[word() for _ in range(rng.integers(1, longest_sentence + 1))] for _ in range(count)]


@pytest.fixture
def build(write_task, tmp_path):
    def make(splits, max_length, languages=("en",)):
        folder = write_task(tmp_path / "task", "pos", splits, LABELS)
        settings = RowSettings(SPECIALS, max_length)
        folder = TaskFolder.open(folder)
        return TaggingDataset(folder, "train", list(languages), settings, training=True)

    return make


def rows_word_by_word(sentence, room):
    """Rows of ids, and the (row, column) of each word."""
    rows, places = [[BOS]], []
    for word, _, head in sentence:
        word = word[:room]
        if len(rows[-1]) - 1 + len(word) > room:
            rows.append([BOS])
        places.append((len(rows) - 1, len(rows[-1]) + min(head, len(word) - 1)))
        rows[-1] += word
    return [[*row, EOS] for row in rows], places


@pytest.mark.parametrize("max_length, longest_word", [(128, 3), (12, 3), (7, 9), (3, 4), (4, 1)])
def test_every_word_has_one_place_and_rows_are_full(build, max_length, longest_word):
    sentences = random_sentences(0, 40, longest_word)
    data = build({("train", "en"): sentences}, max_length)
    assert len(data) == len(sentences) == len(data.sizes)
    order = np.random.default_rng(1).permutation(len(data)).tolist()
    for indices in (order[:7], order[7:8], order[8:]):
        batch = data.collater([data[i] for i in indices])
        rows, at, labels, counts = [], [], [], []
        for index in indices:
            own, places = rows_word_by_word(sentences[index], max_length - 2)
            at += [(len(rows) + row, column) for row, column in places]
            rows += own
            labels += [label for _, label, _ in sentences[index]]
            counts.append(len(places))
            expected = len(own[0]) if len(own) == 1 else len(own) * max_length
            assert data.sizes[index] == expected
        tokens = batch["net_input"]["src_tokens"]
        width = max(map(len, rows))
        assert tokens.shape == (len(rows), width) and width <= max_length
        for row, ids in zip(tokens.tolist(), rows):
            assert row == ids + [PAD] * (width - len(ids))
        assert batch["net_input"]["token_indices"].tolist() == [
            row * width + column for row, column in at
        ]
        assert batch["target"].tolist() == labels and batch["target"].dtype == torch.int64
        assert batch["words"] == counts
        assert batch["target_count"] == sum(label >= 0 for label in labels)
        assert batch["ntokens"] == sum(map(len, rows))
        assert batch["id"].tolist() == indices and batch["nsentences"] == len(indices)
        assert batch["net_input"]["head"] == "tagging" and batch["filler"] is False
        assert tokens.numel() <= len(indices) * data.sizes[indices].max()


def test_rows_that_hold_no_word_and_files_that_are_not_there_are_refused(build):
    splits = {("train", "en"): random_sentences(0, 3)}
    with pytest.raises(UserError, match="rows of 2 tokens .* takes 3 .*--max-length"):
        build(splits, 2)
    with pytest.raises(UserError, match=r"train\.fr\.npz is not there.*prepare-task"):
        build(splits, 20, ["en", "fr"])


def sentence(*labels):
    return [([5], label, 0) for label in labels]


def test_sentences_with_a_blank_word_are_not_scored(folder):
    gold = [sentence(1, 0, 1), sentence(-1, -1), sentence(0, -1), sentence(0)]
    tagging = TaggingGold(folder("pos", gold, ["ADJ", "NOUN"]), "test", "de")
    assert (tagging.total, tagging.scored) == (4, 2)
    predicted = [["NOUN", "NOUN", "NOUN"], ["ADJ", "ADJ"], ["ADJ", "ADJ"], ["ADJ"]]
    assert tagging.score(predicted)["accuracy"] == 75
    # All words NOUN: 2 of 4 right, but no chunk; all ADJ: one chunk of 4 is right, of 2 given.
    assert tagging.baseline() == {"f1": pytest.approx(100 / 3), "accuracy": 50}
