"""Fine-tuning with updates of random examples, as XTREME draws them."""

import numpy as np
import pytest


def plan_of(task, split="train", **settings):
    task.load_dataset(split)
    settings = {"seed": 1, **settings}
    return task.get_batch_iterator(task.datasets[split], **settings).frozen_batches


def indices_of(batches):
    return [batch.indices.tolist() for batch in batches]


@pytest.mark.parametrize("kind", ["tagging", "classification", "qa"])
def test_random_updates_have_every_example_once_whatever_the_lengths(make_fine_tuning, kind):
    task, *_ = make_fine_tuning(kind, batch_order="random", update_freq=[4])
    limits = {"max_sentences": 2}
    first, second = (indices_of(plan_of(task, epoch=epoch, **limits)) for epoch in (1, 2))
    sizes = task.datasets["train"].sizes
    for batches in (first, second):
        assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    updates = [sum(first[i : i + 4], []) for i in range(0, len(first), 4)]
    assert all(len(update) == 8 for update in updates[:-1])
    assert first == indices_of(plan_of(task, epoch=1, **limits))
    assert first != second
    assert first != indices_of(plan_of(task, epoch=1, seed=2, **limits))
    # Within an update by length; between updates without regard to it.
    assert all(list(sizes[update]) == sorted(sizes[update]) for update in updates)
    task, *_ = make_fine_tuning(kind, batch_order="length", update_freq=[1])
    by_length = indices_of(plan_of(task, max_sentences=8))
    spread = [[np.std(sizes[update]) for update in some[:-1]] for some in (updates, by_length)]
    assert np.mean(spread[0]) > 3 * np.mean(spread[1])
    assert np.mean(spread[0]) > 0.75 * np.std(sizes)
    assert len(plan_of(task, "valid", max_sentences=8))


def test_random_updates_do_not_depend_on_the_ranks(make_fine_tuning):
    def updates(steps, ranks, **limits):
        task, *_ = make_fine_tuning("tagging", batch_order="random", update_freq=[steps])
        batches = plan_of(task, num_shards=ranks, **limits)
        indices = [[] if batch.filler else batch.indices.tolist() for batch in batches]
        size = steps * ranks
        return [sorted(sum(indices[i : i + size], [])) for i in range(0, len(indices), size)]

    for limits in ({"max_sentences": 3}, {"max_sentences": None, "max_tokens": 150}):
        alone = updates(6, 1, **limits)
        assert len(alone) > 1
        assert alone == updates(3, 2, **limits) == updates(2, 3, **limits)


def test_random_updates_go_on_where_they_stopped(make_fine_tuning):
    def iterator():
        task, *_ = make_fine_tuning("tagging", batch_order="random", update_freq=[2])
        task.load_dataset("train")
        return task.get_batch_iterator(task.datasets["train"], max_sentences=3, seed=1)

    def ids(batches):
        return [batch["id"].tolist() for batch in batches]

    whole = ids(iterator().next_epoch_itr())
    first = iterator()
    running = first.next_epoch_itr()
    begun = ids(next(running) for _ in range(4))
    second = iterator()
    second.load_state_dict(first.state_dict())
    assert begun + ids(second.next_epoch_itr()) == whole


def test_random_updates_keep_max_tokens(make_fine_tuning):
    task, *_ = make_fine_tuning("tagging", max_length=10, batch_order="random")
    task.load_dataset("train")
    data = task.datasets["train"]
    batches = plan_of(task, max_sentences=None, max_tokens=100)
    assert max(map(len, batches)) == 100 // max(data.sizes)
    for batch in batches:
        sample = data.collater([data[item] for item in batch])
        assert sample["net_input"]["src_tokens"].numel() <= 100
