"""Windows over contexts against a twin that slides them one by one, as BERT does."""

import numpy as np
import pytest

from fairseq_amber.data.finetuning.question_windows import QuestionDataset
from fairseq_amber.data.finetuning.settings import RowSettings
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.data.layout import Specials
from fairseq_amber.errors import UserError

BOS, PAD, EOS = 0, 1, 2
SPECIALS = Specials(bos=BOS, eos=EOS, pad=PAD, mask=44)


def random_questions(seed, contexts=6, questions=25, longest=50):
    rng = np.random.default_rng(seed)
    texts = [rng.integers(4, 44, rng.integers(1, longest + 1)).tolist() for _ in range(contexts)]
    drawn = []
    for _ in range(questions):
        index = int(rng.integers(contexts))
        first = int(rng.integers(len(texts[index])))
        last = min(first + int(rng.integers(4)), len(texts[index]) - 1)
        answer = (first, last) if rng.random() < 0.8 else (-1, -1)
        drawn.append((index, rng.integers(4, 44, rng.integers(1, 9)).tolist(), answer))
    return texts, drawn


@pytest.fixture
def build(write_task, tmp_path):
    def make(splits, training, **settings):
        folder = TaskFolder.open(write_task(tmp_path / "task", "squad", splits))
        languages = [language for _, language in splits]
        rows = RowSettings(SPECIALS, **settings)
        return QuestionDataset(folder, "train", languages, rows, training=training)

    return make


def windows_one_by_one(context, question, answer, max_length, doc_stride, max_query_length):
    """(row, first, length, column, target) of each."""
    query = question[:max_query_length]
    room = max_length - len(query) - 3
    column, start, out = len(query) + 2, 0, []
    while start < len(context):
        part = context[start : start + room]
        target = (0, 0) if answer != (-1, -1) else answer
        if answer[0] in range(start, start + len(part)) and answer[1] < start + len(part):
            target = tuple(column + place - start for place in answer)
            row = [BOS, *query, EOS, *part, EOS]
            assert row[target[0] : target[1] + 1] == context[answer[0] : answer[1] + 1]
        out.append(([BOS, *query, EOS, *part, EOS], start, len(part), column, target))
        if start + len(part) == len(context):
            break
        start += min(len(part), doc_stride)
    return out


@pytest.mark.parametrize(
    "settings",
    [
        dict(max_length=64, doc_stride=16, max_query_length=8),
        dict(max_length=20, doc_stride=5, max_query_length=4),
        dict(max_length=14, doc_stride=128, max_query_length=8),
        dict(max_length=8, doc_stride=1, max_query_length=4),
        dict(max_length=5, doc_stride=3, max_query_length=1),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_windows_cover_the_context_and_find_the_answer(build, settings, training):
    splits = {("train", "en"): random_questions(0), ("train", "hi"): random_questions(1)}
    data = build(splits, training, **settings)
    examples, places = [], []
    for (_, language), (texts, questions) in splits.items():
        count = 0
        for index, question, answer in questions:
            windows = windows_one_by_one(texts[index], question, answer, **settings)
            covered = {
                t for _, first, length, _, _ in windows for t in range(first, first + length)
            }
            assert covered == set(range(len(texts[index])))
            new = [[window] for window in windows] if training else [windows]
            examples += new
            places += [(language, count + i) for i in range(len(new))]
            count += len(new)
    assert len(data) == len(examples) == len(data.sizes)
    assert [data.locate(i) for i in range(len(data))] == places

    order = np.random.default_rng(2).permutation(len(data)).tolist()
    for indices in (order[:1], order[1:6], order[6:]):
        batch = data.collater([data[i] for i in indices])
        expected = [(n, window) for n, i in enumerate(indices) for window in examples[i]]
        tokens = batch["net_input"]["src_tokens"]
        width = max(len(row) for _, (row, *_) in expected)
        assert tokens.shape == (len(expected), width) and width <= settings["max_length"]
        for n, (example, (row, first, length, column, target)) in enumerate(expected):
            assert tokens[n].tolist() == row + [PAD] * (width - len(row))
            window = {name: numbers[n] for name, numbers in batch["windows"].items()}
            assert window == dict(example=example, first=first, length=length, column=column)
            assert tuple(batch["target"][n].tolist()) == target
            assert batch["net_input"]["segments"][n, column:].tolist() == [1] * (width - column)
            assert not batch["net_input"]["segments"][n, :column].any()
        assert batch["target_count"] == sum(window[4][0] >= 0 for _, window in expected)
        assert tokens.numel() <= len(indices) * data.sizes[indices].max()
    for index, windows in enumerate(examples):
        longest = len(windows[0][0])
        expected = longest if len(windows) == 1 else len(windows) * settings["max_length"]
        assert data.sizes[index] == expected


def test_what_leaves_no_room_is_refused(build):
    splits = {("train", "en"): random_questions(0)}
    with pytest.raises(UserError, match=r"rows of 11 tokens .*8 subwords \(--max-query-length\)"):
        build(splits, True, max_length=11, max_query_length=8)
    with pytest.raises(UserError, match="--doc-stride 0 is not 1 or more"):
        build(splits, True, max_length=64, doc_stride=0)
