"""Processes of their own where workers or threads end: workers are forked, and a test's process has
threads."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from torch.utils.data import Dataset

from fairseq_amber.data.plan_iterator import PlanIterator
from fairseq_amber.data.update_size import UpdateSize
from forked_programs import forked_python
from toy_sources import as_lists, plan, toy_sources

ITERATOR = """
import atexit, gc, multiprocessing, time, numpy, torch
import fairseq, fairseq_amber
from fairseq.data import FairseqDataset
from fairseq_amber.data import plan_iterator
from fairseq_amber.data.plan import EpochPlan, Updates

class Dataset(FairseqDataset):
    def __getitem__(self, item):
        return item[0]
    def collater(self, samples):
        time.sleep(0.01)
        return torch.tensor(samples)

def iterator(n, **settings):
    updates = Updates(
        indices=numpy.arange(n), ends=numpy.arange(n + 1), firsts=numpy.arange(n + 1),
        pairs=numpy.ones(n, int), counts=numpy.zeros((n, 4), int),
    )
    data = Dataset()
    plan = EpochPlan(updates, 1, 1)
    return plan_iterator.PlanIterator(plan, dataset=data, collate_fn=data.collater, **settings)
"""


def printed_by(code: str, python: str) -> list:
    result = subprocess.run(
        [python, "-c", ITERATOR + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("buffered", [0, 2])
def test_workers_end_with_their_epoch(buffered):
    """Left to the garbage collector, each would be waited for in vain, five seconds."""
    code = f"""
gc.disable()
epochs = iterator(9, num_workers=2, buffer_size={buffered})
epoch = epochs.next_epoch_itr()
print([batch.item() for batch in epoch], len(multiprocessing.active_children()))
if {buffered}:
    epoch._itr._consumer.join()
del epochs, epoch
print(len(multiprocessing.active_children()))
"""
    assert printed_by(code, forked_python())[-2:] == ["[0, 1, 2, 3, 4, 5, 6, 7, 8] 2", "0"]


def test_a_process_that_stops_in_mid_epoch_ends_its_reading_ahead():
    """The thread has the rest of the epoch to read when the process exits."""
    code = """
epoch = iterator(100_000, buffer_size=2).next_epoch_itr()
print(next(epoch).tolist(), next(epoch).tolist())
reader = epoch._itr._consumer
assert reader.is_alive()
atexit.unregister(plan_iterator._stop_reading_ahead)
atexit.register(lambda: print("reading" if reader.is_alive() else "ended"))
atexit.register(plan_iterator._stop_reading_ahead)
"""
    assert printed_by(code, sys.executable)[-2:] == ["[0] [1]", "ended"]


class Draws(Dataset):
    """A dataset whose examples are the draws of their micro-batch."""

    def __getitem__(self, item):
        index, batch = item
        return batch

    def collater(self, batches):
        return batches[0]


def run_of(epoch, rank, world, **settings):
    data = Draws()
    settings = dict(dataset=data, collate_fn=data.collater, num_shards=world, **settings)
    return PlanIterator(epoch, shard_id=rank, **settings)


def epoch_of(world, size=None, **overrides):
    size = UpdateSize(micro_batches=6) if size is None else size
    return plan(toy_sources(), size=size, world=world, parallel_share=0.2, **overrides)


def drawn_by(batches):
    return [int(d) for batch in batches if not batch.filler for d in batch.draws]


def stopped_after(epoch, world, steps):
    """What all ranks have drawn after so many steps, and the state that rank 0 saves."""
    iterators = [run_of(epoch, rank, world) for rank in range(world)]
    seen = []
    for one in iterators:
        batches = one.next_epoch_itr()
        seen += drawn_by(next(batches) for _ in range(steps))
    return seen, iterators[0].state_dict()


def continued(epoch, world, state):
    seen = []
    for rank in range(world):
        one = run_of(epoch, rank, world)
        one.load_state_dict(state)
        seen += drawn_by(one.next_epoch_itr())
    return seen


@pytest.mark.parametrize("updates", [1, 3])
@pytest.mark.parametrize("before, after", [(1, 2), (2, 1), (6, 1), (1, 4), (2, 3), (3, 2)])
def test_a_run_that_is_cut_otherwise_continues_at_the_beginning_of_the_same_update(
    before, after, updates, caplog
):
    for size in (UpdateSize(micro_batches=6), UpdateSize(tokens=2000)):
        epoch = epoch_of(before, size)
        first, state = stopped_after(epoch, before, updates * epoch.update_freq)
        with caplog.at_level(logging.INFO):
            rest = continued(epoch_of(after, size), after, state)
        everything = list(range(len(epoch.updates.indices)))
        assert sorted(first + rest) == everything and len(first) > 10
        assert f"it continues at update {updates + 1} of " in caplog.text
        caplog.clear()


def test_an_update_that_was_cut_short_is_run_again_as_a_whole():
    epoch = epoch_of(1)
    first, state = stopped_after(epoch, 1, 2 * 6 + 4)
    rest = continued(epoch_of(2), 2, state)
    begun = epoch.updates.ends[2 * 6]
    assert sorted(rest) == list(range(begun, len(epoch.updates.indices)))
    assert len(first) > begun


def test_a_run_that_is_cut_alike_continues_at_the_next_step(caplog):
    for world in (1, 2):
        epoch = epoch_of(world)
        for steps in (1, 4, 5, 7):  # in the middle of an update too
            first, state = stopped_after(epoch, world, steps)
            assert state["iterations_in_epoch"] == steps
            with caplog.at_level(logging.INFO):
                rest = continued(epoch_of(world), world, state)
            assert sorted(first + rest) == list(range(len(epoch.updates.indices)))
    assert "continues" not in caplog.text


def test_with_another_size_of_the_update_a_run_continues_at_the_same_share_of_the_epoch():
    epoch = epoch_of(1, UpdateSize(examples=20))
    updates = len(epoch.updates.firsts) - 1
    total = len(epoch.updates.indices)
    for share in (0.25, 0.5, 0.99):
        done = int(updates * share)
        first, state = stopped_after(epoch, 1, done * epoch.update_freq)
        for world, size in ((1, UpdateSize(examples=50)), (3, UpdateSize(micro_batches=6))):
            other = epoch_of(world, size)
            others = len(other.updates.firsts) - 1
            rest = continued(other, world, state)
            starts = other.updates.ends[other.updates.firsts]
            assert sorted(rest) == list(range(total - len(rest), total))
            assert total - len(rest) in starts
            step = total / others + total / updates
            assert len(first) - step <= total - len(rest) <= len(first) + step


def test_the_end_of_an_epoch_is_the_beginning_of_the_next_however_it_is_cut(caplog):
    epoch = epoch_of(2)
    _, state = stopped_after(epoch, 2, len(epoch) // 2)
    assert (state["epoch"], state["iterations_in_epoch"]) == (2, 0)
    other = run_of(epoch_of(3), 0, 3)
    with caplog.at_level(logging.INFO):
        other.load_state_dict(state)
    assert "continues" not in caplog.text
    assert other.next_epoch_idx == 2 and other.iterations_in_epoch == 0
    assert as_lists(other.next_epoch_itr()) == as_lists(epoch_of(3)[0::3])


def test_a_state_that_does_not_tell_how_the_epoch_was_cut_continues_at_its_step():
    epoch = epoch_of(2)
    first, state = stopped_after(epoch, 2, 4)
    old = {name: state[name] for name in ("version", "epoch", "iterations_in_epoch", "shuffle")}
    assert set(state) - set(old) == {"ranks", "update_freq", "updates"}
    rest = continued(epoch_of(2), 2, old)
    assert sorted(first + rest) == list(range(len(epoch.updates.indices)))


def test_more_steps_than_the_epoch_has_continue_at_its_last_update(caplog):
    """A run of another program does not tell how it cut its epoch, which may have been longer."""
    epoch = epoch_of(2)
    state = {"version": 2, "epoch": 1, "iterations_in_epoch": 10_000, "shuffle": True}
    with caplog.at_level(logging.INFO):
        rest = continued(epoch, 2, state)
    updates = epoch.updates
    assert sorted(rest) == list(range(updates.ends[updates.firsts[-2]], updates.ends[-1]))
    assert "stopped after 10000 steps of an epoch that it had cut otherwise (unknown" in caplog.text


def test_the_iterator_knows_the_batches_of_all_ranks():
    epoch = epoch_of(3)
    one = run_of(epoch, 1, 3)
    assert one.frozen_batches is epoch and len(one) == len(epoch) // 3
    assert as_lists(one.next_epoch_itr()) == as_lists(epoch[1::3])
    assert np.concatenate(as_lists(epoch)).max() < 570
