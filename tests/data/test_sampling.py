import pickle
from typing import NamedTuple, Optional

import numpy as np
import pytest
from fairseq.data import data_utils

from fairseq_amber.data.sampling import (
    BatchLimits,
    plan_epoch,
    plan_validation,
    resampled_sizes,
)


class Source(NamedTuple):
    parallel: bool
    indices: np.ndarray
    costs: np.ndarray
    predicted_counts: np.ndarray
    point_and_link_counts: Optional[np.ndarray] = None

    @property
    def size(self):
        return len(self.indices)


def source(parallel, start, size, seed):
    rng = np.random.default_rng(seed)
    costs = rng.integers(5, 60, size)
    return Source(parallel, np.arange(start, start + size), costs, costs // 6)


@pytest.fixture
def sources():
    """mono 300 and 50, pairs 200 and 20."""
    return [
        source(False, 0, 300, 1),
        source(False, 300, 50, 2),
        source(True, 350, 200, 3),
        source(True, 550, 20, 4),
    ]


def plan(sources, **overrides):
    settings = dict(alpha=1.0, parallel_share=0.5, world=1, update_freq=1, seed=(1, 1))
    settings.update(overrides)
    return plan_epoch(sources, BatchLimits(max_tokens=400), **settings)


def cost_of(sources, batch):
    costs = np.concatenate([s.costs for s in sources])
    return costs[batch.indices].max() * len(batch)


def test_an_epoch_is_one_pass_over_the_pairs_with_as_many_monolingual_steps(sources):
    batches = plan(sources)
    pairs = np.concatenate([b.indices for b in batches if b.parallel])
    assert sorted(pairs) == list(range(350, 570))
    assert sum(b.parallel for b in batches) == pytest.approx(len(batches) / 2, abs=1)
    assert all(cost_of(sources, b) <= 400 for b in batches)


def test_the_share_of_pairs_is_kept_all_along(sources):
    kinds = np.array([b.parallel for b in plan(sources, parallel_share=0.25)])
    assert kinds.mean() == pytest.approx(0.25, abs=0.01)
    assert kinds[: len(kinds) // 2].mean() == pytest.approx(0.25, abs=0.05)


def test_every_micro_batch_is_of_one_corpus_and_every_step_of_one_kind(sources):
    batches = plan(sources, world=3)
    assert len(batches) % 3 == 0
    bounds = np.array([0, 300, 350, 550, 570])
    for batch in batches:
        assert len(set(np.searchsorted(bounds, batch.indices, side="right"))) == 1
    for i in range(0, len(batches), 3):
        assert len({b.parallel for b in batches[i : i + 3]}) == 1


def test_one_kind_alone_is_one_pass_over_it(sources):
    for part in (sources[:2], sources[2:]):
        seen = sorted(np.concatenate([b.indices for b in plan(part)]))
        assert seen == sorted(np.concatenate([s.indices for s in part]))


def test_temperature_sampling():
    sizes = np.array([900, 100])
    assert resampled_sizes(sizes, 1.0).tolist() == [900, 100]
    assert resampled_sizes(sizes, 0.0).tolist() == [500, 500]
    shares = np.array([0.9, 0.1]) ** 0.7
    expected = np.round(1000 * shares / shares.sum())
    assert resampled_sizes(sizes, 0.7).tolist() == expected.tolist()


def test_oversampling_repeats_everything_before_anything_a_third_time(sources):
    batches = plan(sources[:2], alpha=0.0)  # 350 examples, 175 from each corpus
    indices = np.concatenate([b.indices for b in batches])
    counts = np.bincount(indices, minlength=350)
    assert counts[:300].sum() == counts[300:].sum() == 175
    assert counts[:300].max() == 1 and set(counts[300:]) == {3, 4}


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


def test_batches_are_those_of_fairseq():
    """Against fairseq's batching, which looks at every example."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        costs = rng.integers(1, rng.integers(2, 80), rng.integers(1, 200)) * rng.integers(1, 4)
        limits = BatchLimits(
            int(costs.max() * rng.integers(1, 12)) if rng.random() < 0.8 else None,
            int(rng.integers(1, 40)) if rng.random() < 0.5 else None,
            int(rng.choice([1, 2, 8])),
        )
        order = np.argsort(costs, kind="stable")
        expected = data_utils.batch_by_size(
            order,
            num_tokens_fn=None,
            num_tokens_vec=costs[order],
            max_tokens=limits.max_tokens,
            max_sentences=limits.max_sentences,
            required_batch_size_multiple=limits.multiple,
        )
        alone = Source(True, np.arange(len(costs)), costs, costs)
        batches = plan_validation([alone], limits, world=1)
        assert as_lists(batches) == [batch.tolist() for batch in expected if len(batch)]


def test_an_example_larger_than_a_batch_is_refused(sources):
    with pytest.raises(ValueError, match="exceeds 40"):
        plan_validation(sources, BatchLimits(max_tokens=40), world=1)


def test_equal_costs_come_in_random_order():
    size = 4000
    alone = Source(True, np.arange(size), np.full(size, 10), np.full(size, 1))
    batches = plan_epoch(
        [alone],
        BatchLimits(max_sentences=size),
        alpha=1.0,
        parallel_share=0.5,
        world=1,
        update_freq=1,
        seed=(1, 1),
    )
    (order,) = as_lists(batches)
    assert sorted(order) == list(range(size))
    assert abs(np.corrcoef(order, np.arange(size))[0, 1]) < 0.1


def test_a_rank_without_data_gets_a_filler_that_does_not_count(sources):
    batches = plan(sources, world=11)
    fillers = [b for b in batches if b.filler]
    assert fillers and all(len(b) == 1 for b in fillers)
    pairs = np.concatenate([b.indices for b in batches if b.parallel and not b.filler])
    assert sorted(pairs) == list(range(350, 570))


def as_lists(batches):
    return [b.indices.tolist() for b in batches]


def test_a_plan_is_a_function_of_seed_and_epoch(sources):
    assert as_lists(plan(sources)) == as_lists(plan(sources))
    assert as_lists(plan(sources, seed=(1, 2))) != as_lists(plan(sources))
    assert as_lists(plan(sources, seed=(2, 1))) != as_lists(plan(sources))


def test_validation_sees_every_example_once_whatever_the_number_of_ranks(sources):
    for world in (1, 2, 3):
        batches = plan_validation(sources, BatchLimits(max_tokens=400), world=world)
        seen = np.concatenate([b.indices for b in batches if not b.filler])
        assert sorted(seen) == list(range(570))
        assert len(batches) % world == 0
