from __future__ import annotations

import pytest

from fairseq_amber.preparation.workers import WorkerPool


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
