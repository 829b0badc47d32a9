"""The micro-batches that a task plans, and what they hold."""

from toy_examples import content


def plan(task, split="train", **settings):
    """The plan of an epoch."""
    if split not in task.datasets:
        task.load_dataset(split)
    settings = {"max_tokens": 600, "seed": 1, **settings}
    return task.get_batch_iterator(task.datasets[split], **settings).frozen_batches


def collated(task, batches, split="train"):
    """The batch of each micro-batch."""
    data = task.datasets[split]
    return [data.collater([data[item] for item in batch]) for batch in batches]


def is_pair(task, index, split="train"):
    """Whether an example of a split is a pair."""
    data = task.datasets[split]
    return bool(data.corpora[sum(end <= index for end in data.offsets[1:])].parallel)


def drawn(task, batches):
    """For each draw of training micro-batches, the example and what is made of it."""
    found = {}
    for batch, sample in zip(batches, collated(task, batches)):
        draws: dict = {}  # an example may be in a micro-batch twice; its block keeps their order
        for index, draw in zip(batch.indices.tolist(), batch.draws.tolist()):
            draws.setdefault(index, []).append(draw)
        contents = [one for block in sample["blocks"] for one in content(block)]
        for index, one in zip(sample["id"].tolist(), contents):
            draw = draws[index].pop(0)
            assert draw not in found
            found[draw] = (index, one)
        assert not any(draws.values())
    return found
