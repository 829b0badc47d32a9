"""The task's batches, and how they reach other processes."""

import argparse
import pickle

import numpy as np
import pytest
import torch
from fairseq.tasks import FairseqTask
from torch.utils.data import DataLoader

from amber_twins import build_criterion
from fairseq_amber.data.alignment.needs import Needs
from task_batches import collated, drawn, is_pair, plan
from toy_examples import places


def test_every_sample_names_its_corpus_and_all_of_the_split(make_task):
    task = make_task()
    samples = collated(task, plan(task, "valid"), "valid")
    assert {sample["corpus"] for sample in samples} == {"de", "en", "de-en"}
    assert {sample["corpora"] for sample in samples} == {("de", "en", "de-en")}


def test_every_training_batch_has_sentences_and_pairs(make_task):
    task = make_task()
    samples = collated(task, plan(task))
    assert len(samples) > 5
    for sample in samples:
        assert {block["parallel"] for block in sample["blocks"]} == {True, False}
        assert abs(sample["npairs"] - sample["nsentences"] / 2) <= 1


def test_what_is_not_the_training_subset_is_seen_once_and_in_full(make_task):
    batches = plan(make_task(train_subset="valid"), "train")
    assert sorted(np.concatenate([b.indices for b in batches])) == list(range(60 + 200 + 90 + 30))


def test_a_rank_runs_its_share_of_the_plan_from_where_it_stopped(make_task):
    task = make_task()
    task.load_dataset("train")
    dataset = task.datasets["train"]

    def iterator(rank):
        return task.get_batch_iterator(dataset, max_tokens=600, num_shards=2, shard_id=rank)

    def ids(samples):
        return [sorted(sample["id"].tolist()) for sample in samples]

    own = [list(iterator(rank).next_epoch_itr()) for rank in (0, 1)]
    batches = iterator(0).frozen_batches
    for rank in (0, 1):
        expected = [sorted(batch.indices.tolist()) for batch in batches[rank::2]]
        assert ids(own[rank]) == expected

    running = iterator(1)
    steps = running.next_epoch_itr()
    for _ in range(3):
        next(steps)
    resumed = iterator(1)
    resumed.load_state_dict(running.state_dict())
    assert ids(resumed.next_epoch_itr()) == ids(own[1][3:])


def number_of_updates(iterator, cut):
    ranks, update_freq = cut
    return -(-len(iterator.frozen_batches) // (ranks * update_freq))


@pytest.mark.parametrize(
    "before, done, after",
    [
        ((1, 1), 3, (1, 4)),
        ((1, 1), 9, (1, 4)),
        ((1, 4), 8, (1, 3)),
        ((2, 2), 4, (1, 2)),
        ((1, 2), 6, (2, 2)),
    ],
)
def test_a_run_continues_with_other_ranks_and_update_freq(make_task, before, done, after):
    """Always at the beginning of an update, the last one that is not beyond what has been run."""

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
    (_, freq_before), (ranks, freq) = before, after
    update, steps = divmod(rest.n, freq)
    run = done // freq_before / number_of_updates(running, before)
    assert steps == 0
    assert update <= run * number_of_updates(resumed, after) < update + 1
    expected = resumed.frozen_batches[ranks * rest.n].indices.tolist()
    assert sorted(next(rest)["id"].tolist()) == sorted(expected)


def test_an_example_drawn_again_is_masked_anew(make_task):
    task = make_task(parallel_share=0.1, mask_prob=0.3)
    masked = {}
    for index, one in drawn(task, plan(task)).values():
        if not is_pair(task, index):
            masked.setdefault(index, []).append((*one["rows"][0], *one["predicted"]))
    long = [rows for rows in masked.values() if len(rows) > 3 and len(rows[0]) > 13]
    assert len(long) > 5 and all(len(set(rows)) > 2 for rows in long)


def learned(task, **settings):
    """Of each update, what is made of its draws, and its counts."""
    batches = plan(task, **settings)
    slots = batches.update_freq * settings.get("num_shards", 1)
    updates = [batches[start : start + slots] for start in range(0, len(batches), slots)]
    cut = ("micro_batches", "pair_heights", "sentence_heights", "link_heights")
    counts = [
        {key: value for key, value in update[0].normalizers.items() if key not in cut}
        for update in updates
    ]
    return [drawn(task, [b for b in update if not b.filler]) for update in updates], counts


@pytest.mark.parametrize("size", [{"update_tokens": 2500}, {"update_examples": 70}])
def test_what_an_update_learns_from_is_the_same_however_it_is_cut(make_task, size):
    whole = learned(make_task(**size), max_tokens=100_000)
    assert len(whole[0]) > 2
    for settings in ({"max_tokens": 300}, {"max_tokens": 500, "num_shards": 3}):
        task = make_task(**size)
        assert learned(task, **settings) == whole
        batches = plan(task, **settings)
        assert batches.update_freq > 1 and len(batches) > 2 * len(whole[0])
    if "update_examples" in size:
        assert [len(one) for one in whole[0][:-1]] == [70] * (len(whole[0]) - 1)


@pytest.mark.parametrize("needs", [Needs(), Needs(others=True), Needs(alignment=False)])
@pytest.mark.parametrize("size", [{"update_freq": [2]}, {"update_tokens": 2500}])
@pytest.mark.parametrize("rows", ["line", "document"])
def test_rows_and_their_padding_take_up_no_more_than_max_tokens(make_task, needs, size, rows):
    fullest = 0
    for max_tokens in (200, 430, 1000):
        task = make_task(sentence_rows=rows, sentence_segments=rows == "document", **size)
        task.needs = needs
        taken = [places(s) for s in collated(task, plan(task, max_tokens=max_tokens))]
        assert max(taken) <= max_tokens
        fullest = max(fullest, max(taken) / max_tokens)
    assert fullest > 0.7


@pytest.mark.parametrize("epoch", [1, 2])
def test_the_number_of_steps_may_change_from_epoch_to_epoch(make_task, epoch):
    """The first plan sets --update-freq, which is no contradiction for the second."""
    task = make_task(update_examples=70)
    for max_tokens in (300, 600):
        batches = plan(task, max_tokens=max_tokens, epoch=epoch)
        task.cfg.update_freq = [batches.update_freq]
    assert batches.update_freq > 1


def in_order(sentences):
    """The keys of sentences in the order of their draws, whatever the blocks are."""
    return sentences["source_key"][sentences["by_draw"]]


@pytest.mark.parametrize("negatives", ["all", "update"])
def test_the_criterion_s_candidates_come_with_the_first_step_of_each_update(
    make_task, make_model, negatives
):
    task = make_task(update_freq=[3])
    task.model = make_model()
    build_criterion(task, sa_negatives=negatives)
    own = plan(task, num_shards=2)[1::2]
    for start in range(0, len(own), 3):
        steps = collated(task, own[start : start + 3])
        ahead = [step.get("update_sentences", []) for step in steps]
        count = len(steps) if len(steps) > 1 else 0  # one step alone has no other sentences
        assert list(map(len, ahead)) == [count, 0, 0][: len(steps)]
        for step, found in zip(steps, ahead[0]):
            assert found["filler"] == step["filler"]
            sentences = [index for index in step["id"].tolist() if not is_pair(task, index)]
            assert len(found["pairs"]["corpus"]) == step["npairs"]
            assert in_order(found["pairs"]).equal(in_order(step["pairs"]))
            assert ("others" in found) == ("others" in step) == (negatives == "all")
            if negatives == "all":
                assert len(step["others"]["corpus"]) == len(sentences)
                assert in_order(found["others"]).equal(in_order(step["others"]))
                rows = sum(len(block["tokens"]) for block in found["others"]["blocks"])
                assert rows == len(sentences)


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
    there = 0
    for sample, here in zip(loader, collated(task, batches[:6])):
        assert sample["normalizers"] == here["normalizers"] and sample["id"].equal(here["id"])
        for one, other in zip(sample["blocks"], here["blocks"]):
            assert one["net_input"]["src_tokens"].equal(other["net_input"]["src_tokens"])
            there += 1
    assert there > 11


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
    assert len(batches) == 64 > sum(not batch.filler for batch in batches)
    fillers = [batch for batch in batches if batch.filler]
    for sample in collated(task, fillers):
        assert sample["nsentences"] == 1 and sample["filler"]


def test_the_model_s_positions_limit_the_rows(make_task, make_model, monkeypatch):
    monkeypatch.setattr(FairseqTask, "build_model", lambda self, cfg, from_checkpoint: make_model())
    task = make_task(tokens_per_sample=512)
    task.build_model(argparse.Namespace())
    assert task.max_positions() == 64
