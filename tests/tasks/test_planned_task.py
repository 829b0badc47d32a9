"""How every task here plans an epoch."""

import numpy as np
import pytest

from fairseq_amber.data.sampling import ExampleSource
from fairseq_amber.errors import UserError
from fairseq_amber.tasks.planned_task import PlannedTask, update_freq_of_epoch


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
