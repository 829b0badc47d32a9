import subprocess
import sys


def test_a_process_that_stops_in_mid_epoch_ends_its_reading_ahead():
    """The thread has the rest of the epoch to read when the process exits."""
    code = """
import atexit, threading, time, numpy, torch
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

n = 100_000
steps = Steps(
    starts=numpy.arange(n)[:, None], sizes=numpy.ones((n, 1), int),
    predicted=numpy.ones((n, 1), int), fillers=numpy.zeros((n, 1), bool),
    parallel=numpy.ones(n, bool), counted=numpy.zeros((n, 1, 2), int),
)
data = Dataset()
epoch = plan_iterator.PlanIterator(
    EpochPlan(numpy.arange(n), steps, 1), dataset=data, collate_fn=data.collater, buffer_size=2
).next_epoch_itr()
print(next(epoch).tolist(), next(epoch).tolist())
reader = epoch._itr._consumer
assert reader.is_alive()
atexit.unregister(plan_iterator._stop_reading_ahead)
atexit.register(lambda: print("reading" if reader.is_alive() else "ended"))
atexit.register(plan_iterator._stop_reading_ahead)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[-3:-1] == ["[0] [1]", "ended"]
