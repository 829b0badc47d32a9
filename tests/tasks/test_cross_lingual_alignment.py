"""The task's batches, and how they reach other processes."""

import argparse
import pickle

import numpy as np
import pytest
import torch
from fairseq.tasks import FairseqTask
from torch.utils.data import DataLoader


def plan(task, split="train", **settings):
    task.load_dataset(split)
    settings = {"max_tokens": 600, **settings}
    return task.get_batch_iterator(task.datasets[split], **settings).frozen_batches


def test_every_sample_names_its_corpus_and_all_of_the_split(make_task):
    task = make_task()
    task.load_dataset("valid")
    dataset = task.datasets["valid"]
    samples = [dataset.collater([dataset[i] for i in batch]) for batch in plan(task, "valid")]
    assert {sample["corpus"] for sample in samples} == {"de", "en", "de-en"}
    assert {sample["corpora"] for sample in samples} == {("de", "en", "de-en")}


def test_what_is_not_the_training_subset_is_seen_once_and_in_full(make_task):
    batches = plan(make_task(train_subset="valid"), "train")
    assert sorted(np.concatenate([b.indices for b in batches])) == list(range(60 + 200 + 90 + 30))


def test_a_rank_runs_its_share_of_the_plan_from_where_it_stopped(make_task):
    task = make_task()
    task.load_dataset("train")
    dataset = task.datasets["train"]

    def iterator(rank):
        return task.get_batch_iterator(dataset, max_tokens=600, num_shards=2, shard_id=rank)

    own = [list(iterator(rank).next_epoch_itr()) for rank in (0, 1)]
    assert [s["parallel"] for s in own[0]] == [s["parallel"] for s in own[1]]
    batches = iterator(0).frozen_batches
    for rank in (0, 1):
        expected = [batch.indices.tolist() for batch in batches[rank::2]]
        assert [sample["id"].tolist() for sample in own[rank]] == expected

    running = iterator(1)
    steps = running.next_epoch_itr()
    for _ in range(3):
        next(steps)
    resumed = iterator(1)
    resumed.load_state_dict(running.state_dict())
    rest = list(resumed.next_epoch_itr())
    assert [s["id"].tolist() for s in rest] == [s["id"].tolist() for s in own[1][3:]]


@pytest.mark.parametrize(
    "before, done, after, position",
    [
        ((1, 1), 3, (1, 4), 0),
        ((1, 1), 9, (1, 4), 8),
        ((1, 4), 8, (1, 3), 6),
        ((2, 2), 4, (1, 2), 8),
        ((1, 2), 6, (2, 2), 2),
        ((1, 2), 6, (1, 2), 6),
    ],
)
def test_a_run_continues_with_other_ranks_and_update_freq(make_task, before, done, after, position):
    """Always at the beginning of an update, and never beyond what has been run."""

    def iterator(ranks, update_freq):
        task = make_task(update_freq=[update_freq])
        task.load_dataset("train")
        return task.get_batch_iterator(
            task.datasets["train"], max_tokens=300, num_shards=ranks, shard_id=0
        )

    running = iterator(*before)
    steps = running.next_epoch_itr()
    for _ in range(done):
        next(steps)
    resumed = iterator(*after)
    resumed.load_state_dict(running.state_dict())
    rest = resumed.next_epoch_itr()
    assert rest.n == position
    ranks = after[0]
    expected = resumed.frozen_batches[ranks * position].indices.tolist()
    assert next(rest)["id"].tolist() == expected


def test_an_example_drawn_again_is_masked_anew(make_task):
    task = make_task(parallel_share=0.1, mask_prob=0.3)
    task.load_dataset("train")
    dataset = task.datasets["train"]
    masked = {}
    for batch in plan(task):
        if not batch.parallel:
            sample = dataset.collater([dataset[item] for item in batch])
            for index, row in zip(sample["id"].tolist(), sample["net_input"]["src_tokens"]):
                masked.setdefault(index, []).append(tuple(row[row != 1].tolist()))
    long = {i: rows for i, rows in masked.items() if len(rows) > 4 and len(rows[0]) > 10}
    assert long and all(len(set(rows)) > 2 for rows in long.values())


def test_a_spawned_worker_receives_paths_and_its_batches_alone(make_task):
    task = make_task(update_freq=[4])
    batches = plan(task, num_shards=2)[1::2]
    dataset = task.datasets["train"]
    assert len(pickle.dumps(dataset)) < 5000
    loader = DataLoader(
        dataset,
        batch_sampler=batches[:6],
        collate_fn=dataset.collater,
        num_workers=1,
        multiprocessing_context="spawn",
    )
    for sample, batch in zip(loader, batches[:6]):
        here = dataset.collater([dataset[item] for item in batch])
        assert sample["normalizers"] == here["normalizers"]
        assert sample["net_input"]["src_tokens"].equal(here["net_input"]["src_tokens"])


def test_without_validation_its_text_is_not_asked_for(make_task, folder):
    for path in folder.glob("**/valid*"):
        path.unlink()
    with pytest.raises(SystemExit, match="train without validation by --disable-validation"):
        make_task(data=str(folder)).load_dataset("valid")
    task = make_task(data=str(folder), disable_validation=True)
    with pytest.raises(SystemExit, match="no valid text"):
        task.load_dataset("valid")  # as fairseq-validate does
    task.criterion = torch.nn.Module().train()
    task.load_dataset("valid")
    task.load_dataset("train")
    assert set(task.datasets) == {"train"}


def test_more_ranks_than_batches(make_task):
    task = make_task(pairs="tr-en", languages="de")
    batches = plan(task, num_shards=64)
    assert len(batches) % 64 == 0
    own = [batches[rank::64] for rank in range(64)]
    assert len({tuple(b.parallel for b in mine) for mine in own}) == 1
    dataset = task.datasets["train"]
    for batch in (b for b in batches if b.filler):
        sample = dataset.collater([dataset[item] for item in batch])
        assert sample["nsentences"] == 1 and sample["filler"]


def test_the_model_s_positions_limit_the_rows(make_task, make_model, monkeypatch):
    monkeypatch.setattr(FairseqTask, "build_model", lambda self, cfg, from_checkpoint: make_model())
    task = make_task(tokens_per_sample=512)
    task.build_model(argparse.Namespace())
    assert task.max_positions() == 64
