"""How every task here plans an epoch."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from fairseq_amber.data.draws import ExampleSource
from fairseq_amber.errors import UserError
from fairseq_amber.tasks.planned_task import PlannedTask, set_update_freq, update_freq_of_epoch


def test_one_dictionary_stands_for_both_sides(dictionary):
    task = PlannedTask(None, dictionary, 64)
    assert task.source_dictionary is task.target_dictionary is dictionary
    assert task.max_positions() == 64 and task.model is task.criterion is None


def test_a_batch_must_hold_the_longest_example(dictionary):
    task = PlannedTask(None, dictionary, 64)
    task.length_flag, task.cost_note = "--longest", " (twice)"
    sources = [ExampleSource(np.array(costs)) for costs in ([3, 9], [8])]
    task.check_longest(sources, None)
    task.check_longest(sources, 9)
    message = r"--max-tokens 8 is less than .* needs, 9 \(twice\): raise it, or lower --longest"
    with pytest.raises(UserError, match=message):
        task.check_longest(sources, 8)


def test_update_freq_of_each_epoch(make_task):
    assert [update_freq_of_epoch([4, 2], epoch) for epoch in (1, 2, 3)] == [4, 2, 2]
    assert update_freq_of_epoch(3, 9) == 3
    with pytest.raises(UserError, match="--update-freq 0 is not 1 or more"):
        update_freq_of_epoch([1, 0], 2)
    task = make_task(update_freq=[4, 2])
    task.load_dataset("train")
    for epoch, expected in ((1, 4), (2, 2), (3, 2)):
        iterator = task.get_batch_iterator(task.datasets["train"], max_tokens=600, epoch=epoch)
        assert iterator.frozen_batches[0].normalizers["micro_batches"] == expected


def training(task, **settings):
    if "train" not in task.datasets:
        task.load_dataset("train")
    settings = {"max_tokens": 600, **settings}
    return task.get_batch_iterator(task.datasets["train"], **settings).frozen_batches


def updates_of(batches, world):
    """The examples and draws of each update."""
    slots = world * batches.update_freq
    updates = [[] for _ in range(-(-len(batches) // slots))]
    for number, batch in enumerate(batches):
        if not batch.filler:
            updates[number // slots] += zip(batch.indices.tolist(), batch.draws.tolist())
    return list(map(sorted, updates))


def test_ranks_times_update_freq_is_the_size_of_an_update(make_task):
    expected = updates_of(training(make_task(update_freq=[4])), 1)
    assert len(expected) > 2
    for world, update_freq in ((2, 2), (4, 1)):
        batches = training(make_task(update_freq=[update_freq]), num_shards=world)
        assert batches.update_freq == update_freq and updates_of(batches, world) == expected
    other = training(make_task(update_freq=[3]))
    assert updates_of(other, 1) != expected


@pytest.mark.parametrize("size", [dict(update_tokens=3000), dict(update_examples=45)])
def test_an_update_of_a_stated_size_is_the_same_on_any_number_of_ranks(make_task, size):
    expected = updates_of(training(make_task(**size)), 1)
    assert len(expected) > 2
    frequencies = set()
    for world, max_tokens in ((1, 400), (3, 600), (2, 5000)):
        batches = training(make_task(**size), num_shards=world, max_tokens=max_tokens)
        assert updates_of(batches, world) == expected
        frequencies.add(batches.update_freq)
    assert len(frequencies) > 1
    if "update_examples" in size:
        assert {len(update) for update in expected[:-1]} == {45}


def test_fairseq_learns_how_many_steps_make_up_an_update():
    whole = OmegaConf.create({"task": {"data": "here"}, "optimization": {"update_freq": [1]}})
    set_update_freq(whole.task, 5)
    assert whole.optimization.update_freq == [5]
    set_update_freq(OmegaConf.create({"data": "here"}), 5)  # a task of its own


def test_the_best_checkpoint_is_chosen_by_a_value_that_validation_has(dictionary):
    whole = OmegaConf.create({"task": {"data": "here"}, "checkpoint": {}})
    whole.checkpoint.best_checkpoint_metric = "retrieval/de-en"
    task = PlannedTask(whole.task, dictionary, 64)
    task.post_validate(None, {"loss": 1.0, "retrieval/de-en": 50.0}, None)
    PlannedTask(None, dictionary, 64).post_validate(None, {"loss": 1.0}, None)
    message = "--best-checkpoint-metric retrieval/de-en: validation has no .*; it has loss, ppl$"
    with pytest.raises(SystemExit, match=message):
        task.post_validate(None, {"loss": 1.0, "ppl": 2.0}, None)


def test_the_rows_of_a_batch_have_at_most_max_tokens_with_padding(make_task):
    for size in ({}, dict(update_freq=[3]), dict(update_tokens=5000), dict(update_examples=90)):
        task, blocks = make_task(**size), set()
        for max_tokens in (200, 700, 2500):
            batches = training(task, max_tokens=max_tokens)
            data = task.datasets["train"]
            for batch in batches:
                sample = data.collater([data[item] for item in batch])
                rows = [block["net_input"]["src_tokens"] for block in sample["blocks"]]
                assert sum(tokens.numel() for tokens in rows) <= max_tokens or len(batch) == 1
                blocks.add(len(rows))
        assert len(blocks) > 1
