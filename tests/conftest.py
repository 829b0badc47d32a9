"""What all tests share: how tests run, a toy dictionary, toy models, and the fixtures on disk."""

import argparse
import gc
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

import fairseq  # noqa: E402, F401  (first, so that the plugin registers itself)
from fairseq.data import Dictionary  # noqa: E402

import fairseq_amber  # noqa: E402, F401
from forked_programs import forked_python  # noqa: E402
from pretrained_folders import pretrained, pretrained_data  # noqa: E402, F401
from recipe_checkout import recipe_checkout, run_recipe  # noqa: E402, F401
from toy_corpora import (  # noqa: E402, F401
    WORDS,
    data_folder,
    folder,
    link_folder,
    make_task,
    word_folder,
)
from toy_tasks import make_fine_tuning, toy_tasks, write_task  # noqa: E402, F401


def pytest_collection_modifyitems(items):
    """Files with slow tests and whole runs first: processes that share the work end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    whole = Path(__file__).parent
    items.sort(key=lambda item: item.path not in slow and item.path.parent != whole)


def pytest_collection_finish():
    """What is imported and collected lives to the end: no garbage collection need look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def progress_of(monkeypatch):
    """Commands say how far they are at every update; finds, in what one has said on stderr, the
    last count of each stage, such as {"checking": "3 of 3 files"}."""
    from fairseq_amber import cli, progress

    always = progress.Pace(0)
    monkeypatch.setattr(cli, "command_progress", lambda: progress.command_progress(always))
    line = re.compile(r"fairseq-amber: (.+): (.+ of .+) \(\d+ %\), .*\d left", re.ASCII)
    return lambda error: dict(m.groups() for m in map(line.fullmatch, error.splitlines()) if m)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Torch before 2 computes no layer norm and no GELU in float16 on CPUs."""
    try:
        return (yield)
    except Exception as error:
        if re.search('"(LayerNorm|Gelu)KernelImpl" not implemented', str(error)):
            pytest.skip("this torch needs a GPU for float16")
        raise


@pytest.fixture(scope="session")
def dictionary() -> Dictionary:
    """``<s> <pad> </s> <unk> w0 ... w39 <mask>``."""
    symbols = Dictionary()
    for word in range(WORDS):
        symbols.add_symbol(f"w{word}")
    symbols.add_symbol("<mask>")
    return symbols


@pytest.fixture(scope="session")
def shape() -> dict:
    """Of the toy models, in fairseq's names."""
    return dict(
        encoder_layers=2,
        encoder_embed_dim=16,
        encoder_ffn_embed_dim=32,
        encoder_attention_heads=4,
        max_positions=64,
        dropout=0.0,
        attention_dropout=0.0,
    )


@pytest.fixture
def make_model(dictionary, shape):
    """Builds a seeded toy ``amber`` model; keyword arguments override its shape."""
    from fairseq_amber.models.amber import AmberConfig, AmberModel

    def build(seed: int = 0, **overrides):
        torch.manual_seed(seed)
        task = argparse.Namespace(source_dictionary=dictionary)
        model = AmberModel.build_model(AmberConfig(**{**shape, **overrides}), task)
        with torch.no_grad():  # BERT's start is so small that every map would be uniform
            for name, parameter in model.named_parameters():
                if name.endswith("weight") and parameter.dim() == 2:
                    parameter.mul_(10)
        return model

    return build


@pytest.fixture(scope="session")
def random_sentences():
    """``(count, seed, low, high) -> `` sentences of word ids, low to high tokens each."""

    def draw(count: int, seed: int, low: int = 1, high: int = 12):
        rng = np.random.default_rng(seed)
        return [rng.integers(4, 4 + WORDS, rng.integers(low, high + 1)) for _ in range(count)]

    return draw


WITH_WORKERS = """
import multiprocessing, os, signal, torch.utils.data._utils.worker
import fairseq, fairseq_amber
from fairseq.data import ListDataset, iterators
from fairseq_amber.data import plan_iterator

class Plan(list):
    update_freq = 1
    def __getitem__(self, which):
        return self if isinstance(which, slice) else super().__getitem__(which)

# how often a worker looks whether its parent lives, in seconds
torch.utils.data._utils.worker.MP_STATUS_CHECK_INTERVAL = 0.2
rows = [[number] for number in range(1000)]
data = ListDataset([torch.tensor(row) for row in rows])
settings = dict(dataset=data, collate_fn=torch.stack, num_workers=2)
epoch = {iterator}.next_epoch_itr()
print(next(epoch).tolist(), next(epoch).tolist(), flush=True)
workers = [worker.pid for worker in multiprocessing.active_children()]
assert len(workers) == 2 and os.listdir(os.environ["TMPDIR"])
for process in {killed}:
    os.kill(process, signal.SIGKILL)
"""


@pytest.fixture
def left_by_workers():
    """``(iterator, killed) ->`` what a process that reads ``iterator`` with two workers, kills the
    processes ``killed`` (0: itself with all workers) and ends leaves in the temporary folder."""

    def run(iterator: str, killed: str) -> list:
        with tempfile.TemporaryDirectory() as place:  # short: a socket's path has 107 bytes
            return left_in(place, iterator, killed)

    def left_in(place: str, iterator: str, killed: str) -> list:
        code = WITH_WORKERS.format(iterator=iterator, killed=killed)
        done = subprocess.run(
            [forked_python(), "-c", code],
            env={**os.environ, "TMPDIR": place},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        assert done.stdout.endswith("[[0]] [[1]]\n"), done.stderr
        for _ in range(200):
            left = [path for path in os.listdir(place) if path.startswith("pymp-")]
            if not left:
                break
            time.sleep(0.1)
        return left

    return run
