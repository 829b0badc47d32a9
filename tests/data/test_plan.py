"""What the micro-batches of a plan know of their update."""

import pickle

import numpy as np
import pytest

from toy_sources import as_lists, plan, toy_sources


@pytest.fixture
def sources():
    return toy_sources()


def test_normalizers_count_the_whole_update_over_ranks_and_accumulation(sources):
    predicted = np.concatenate([s.predicted_counts for s in sources])
    batches = plan(sources, world=2, update_freq=3)
    for start in range(0, len(batches), 6):
        update = batches[start : start + 6]
        real = [b for b in update if not b.filler]
        for batch in update:
            n = batch.normalizers
            assert n["micro_batches"] == len(update)
            assert n["pairs"] == sum(len(b) for b in real if b.parallel)
            for kind, tokens in ((False, n["mlm_tokens"]), (True, n["tlm_tokens"])):
                assert tokens == sum(predicted[b.indices].sum() for b in real if b.parallel is kind)
        for step in range(0, len(update), 2):
            widest = max(len(b) if b.parallel else 0 for b in update[step : step + 2])
            assert {b.normalizers["step_pairs"] for b in update[step : step + 2]} == {widest}


def test_parallel_micro_batches_know_their_siblings_of_the_update(sources):
    world, update_freq = 3, 4
    batches = plan(sources, world=world, update_freq=update_freq)
    seen = set()
    for start in range(0, len(batches), world * update_freq):
        update = list(batches[start : start + world * update_freq])
        steps = [update[i : i + world] for i in range(0, len(update), world)]
        parallel = [step for step in steps if step[0].parallel]
        heights = tuple(max(map(len, step)) for step in parallel)
        seen.add(len(parallel))
        for rank in range(world):
            own = [step[rank] for step in parallel]
            for position, batch in enumerate(own):
                assert batch.normalizers["update_heights"] == heights
                if len(own) < 2:
                    assert batch.update is None
                    continue
                assert batch.update_step == position
                assert batch.update[position] is batch
                assert as_lists(batch.update) == as_lists(own)
                assert [b.filler for b in batch.update] == [b.filler for b in own]
                assert [b.normalizers["step_pairs"] for b in batch.update] == list(heights)
        for step in steps:
            if not step[0].parallel:
                assert {b.update for b in step} == {None}
                assert {b.normalizers["update_heights"] for b in step} == {heights}
    assert len(seen) > 1  # updates with and without several parallel steps


def test_a_slice_of_a_plan_is_a_plan(sources):
    batches = plan(sources, world=2, update_freq=2)
    everything = as_lists(batches)
    assert as_lists(batches[1::2]) == everything[1::2]
    assert as_lists(batches[1::2][3:]) == everything[1::2][3:]
    assert batches[1::2][2].normalizers == batches[5].normalizers
    assert as_lists([batches[-1]]) == everything[-1:]
    with pytest.raises(IndexError):
        batches[len(batches)]


def test_a_micro_batch_takes_its_examples_to_a_worker_and_not_the_plan(sources):
    batch = next(b for b in plan(sources, world=2, update_freq=4) if b.update)
    sent = pickle.dumps(batch)
    examples = sum(len(sibling) for sibling in batch.update)
    assert len(sent) < 1000 + 300 * len(batch.update) + 4 * examples
    received = pickle.loads(sent)
    assert as_lists(received.update) == as_lists(batch.update)
    assert received.update[batch.update_step] is received
    assert received.normalizers == batch.normalizers
