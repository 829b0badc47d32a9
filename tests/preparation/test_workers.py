from __future__ import annotations

import time
from pathlib import Path

import pytest

from fairseq_amber.preparation import workers
from fairseq_amber.preparation.workers import WorkerPool, call_in_process


def until_there(path: Path) -> str:
    while not path.exists():
        time.sleep(0.001)
    return path.name


def in_a_pool(path: Path, waiting) -> str:
    with WorkerPool(1) as pool:
        [name] = pool.map(until_there, [(path,)], waiting=waiting)
    return name


def in_a_process(path: Path, waiting) -> str:
    return call_in_process(until_there, path, waiting=waiting)


@pytest.mark.parametrize("call", [in_a_pool, in_a_process])
def test_who_waits_for_a_long_call_is_told_so_again_and_again(call, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_INTERVAL", 0.001)
    path, times = tmp_path / "file", []

    def waiting() -> None:
        times.append(1)
        if len(times) == 3:
            path.touch()

    assert call(path, waiting) == "file"
    assert len(times) >= 3


@pytest.mark.parametrize("results", [0, 1, 20])
def test_an_interrupted_pool_ends_though_its_messages_fill_the_pipes(results: int):
    calls = ((b"a" * 300_000,) for _ in range(1000))
    done = 0
    with pytest.raises(KeyboardInterrupt), WorkerPool(2, finish=True) as pool:
        for result in pool.map(bytes.upper, calls):
            assert result == b"A" * 300_000
            done += 1
            if done > results:
                raise KeyboardInterrupt
    assert done == results + 1
