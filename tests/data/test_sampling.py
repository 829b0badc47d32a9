import numpy as np
import pytest

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.sampling import ExampleSource, plan_epoch, plan_validation, resampled_sizes
from toy_sources import Source, as_lists, plan, toy_sources


@pytest.fixture
def sources():
    return toy_sources()


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


def test_all_examples_of_a_dataset_are_a_source():
    costs = np.array([3, 9, 4])
    batches = plan_validation([ExampleSource(costs)], BatchLimits(12), world=1)
    assert as_lists(batches) == [[0, 2], [1]]
    assert {b.parallel for b in batches} == {False}
    assert {b.normalizers["mlm_tokens"] for b in batches} == {0}
