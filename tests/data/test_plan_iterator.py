"""In processes of their own: workers are forked, and a test's process has threads."""

import subprocess
import sys

import pytest

ITERATOR = """
import atexit, gc, multiprocessing, time, numpy, torch
import fairseq, fairseq_amber
from fairseq.data import FairseqDataset
from fairseq_amber.data import plan_iterator
from fairseq_amber.data.plan import EpochPlan, Steps

class Dataset(FairseqDataset):
    def __getitem__(self, item):
        return item[0]
    def collater(self, samples):
        time.sleep(0.01)
        return torch.tensor(samples)

def iterator(n, **settings):
    steps = Steps(
        starts=numpy.arange(n)[:, None], sizes=numpy.ones((n, 1), int),
        predicted_counts=numpy.ones((n, 1), int), fillers=numpy.zeros((n, 1), bool),
        parallel=numpy.ones(n, bool), point_and_link_counts=numpy.zeros((n, 1, 2), int),
    )
    data = Dataset()
    plan = EpochPlan(numpy.arange(n), steps, 1)
    return plan_iterator.PlanIterator(plan, dataset=data, collate_fn=data.collater, **settings)
"""


def printed_by(code: str) -> list:
    result = subprocess.run(
        [sys.executable, "-c", ITERATOR + code],
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
    assert printed_by(code)[-2:] == ["[0, 1, 2, 3, 4, 5, 6, 7, 8] 2", "0"]


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
    assert printed_by(code)[-2:] == ["[0] [1]", "ended"]
