"""What an epoch draws, and that its updates are the same however they are cut."""

import numpy as np
import pytest

from fairseq_amber.data import sampling
from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.blocks import blocks_within
from fairseq_amber.data.draws import ExampleSource
from fairseq_amber.data.sampling import plan_validation, resampled_sizes
from fairseq_amber.data.update_size import UpdateSize
from toy_sources import (
    SETTINGS,
    Setting,
    as_lists,
    corpus_of,
    cost_of,
    costs_of,
    counts_by_update,
    plan,
    sources_of,
    toy_sources,
    updates_of,
)


@pytest.fixture
def sources():
    return toy_sources()


@pytest.fixture(params=SETTINGS)
def setting(request):
    return SETTINGS[request.param]


def seen_in(batches):
    return np.concatenate([batch.indices for batch in batches if not batch.filler])


def contents(epoch, world):
    """The examples of each update with their draws, and its counts without those of the cut."""
    found = []
    for update in updates_of(epoch, world):
        real = [batch for batch in update if not batch.filler]
        drawn = [item for b in real for item in zip(b.draws.tolist(), b.indices.tolist())]
        kept = ("mlm_tokens", "tlm_tokens", "pairs", "points", "links")
        found.append((sorted(drawn), {name: real[0].normalizers[name] for name in kept}))
    return found


def test_ranks_and_steps_cut_the_same_updates(setting):
    sources = setting.sources()
    size = UpdateSize(micro_batches=4)
    for limits in (BatchLimits(300), BatchLimits(1500, multiple=8), BatchLimits(None, 12)):
        alone = setting.plan(sources, size=size, limits=limits)
        expected = contents(alone, 1)
        draws = [draw for drawn, _ in expected for draw, _ in drawn]
        assert sorted(draws) == list(range(len(draws)))  # one for each example
        for world, steps in ((2, 2), (4, 1), (3, 2), (5, 1)):
            epoch = setting.plan(sources, size=size, limits=limits, world=world)
            assert epoch.update_freq == steps and len(epoch) % world == 0
            assert contents(epoch, world) == expected


def test_the_limits_of_a_micro_batch_cut_updates_of_a_stated_size_and_do_not_change_them(setting):
    sources = setting.sources()
    for size in (UpdateSize(tokens=2000), UpdateSize(examples=37), UpdateSize(examples=300)):
        expected = contents(setting.plan(sources, size=size, limits=BatchLimits(900)), 1)
        assert len(expected) > 2
        steps = set()
        for limits, world in (
            *((BatchLimits(250), 4), (BatchLimits(2500, 7, 8), 1)),
            *((BatchLimits(2500), 3), (BatchLimits(None, 16), 2), (BatchLimits(400), 1)),
        ):
            epoch = setting.plan(sources, size=size, limits=limits, world=world)
            steps.add(epoch.update_freq)
            assert contents(epoch, world) == expected
        assert len(steps) > 2


def test_every_update_of_a_long_epoch_has_every_corpus_by_its_share(setting):
    sources = setting.sources(scale=100)
    shares = setting.shares(sources)
    for limits, size in (
        (BatchLimits(320), UpdateSize(micro_batches=4)),
        (BatchLimits(None, 8), UpdateSize(micro_batches=4)),
        (BatchLimits(500), UpdateSize(tokens=1600)),
    ):
        counts = counts_by_update(sources, setting.plan(sources, limits=limits, size=size))
        assert len(counts) > 1000
        expected = counts.sum(axis=1)[:, None] * shares
        assert abs(counts - expected).max() < 2
        full = counts[:-1], expected[:-1]
        assert (full[0][full[1] >= 2] > 0).all()
        for start in range(0, len(counts) - 1000, 500):
            part = counts[start : start + 1000].sum(axis=0)
            assert part / part.sum() == pytest.approx(shares, rel=0.01)
        assert counts.sum(axis=0) / counts.sum() == pytest.approx(shares, rel=0.01)


def test_forty_corpora_are_in_every_update_by_their_share():
    rng = np.random.default_rng(0)
    sizes, medians = np.exp(rng.normal(7, 1.5, 40)).astype(int) + 5, np.exp(rng.normal(3, 0.5, 40))
    corpora = zip([False, True] * 20, sizes.tolist(), medians, [0.5] * 40)
    setting = Setting(tuple(corpora), parallel_share=0.4, alpha=0.5)
    sources = setting.sources()
    epoch = setting.plan(sources, limits=BatchLimits(2048), size=UpdateSize(micro_batches=4))
    counts = counts_by_update(sources, epoch)
    assert len(counts) > 200
    assert abs(counts - counts.sum(axis=1)[:, None] * setting.shares(sources)).max() < 2.2


@pytest.mark.parametrize("kinds", [[False] * 4, [True] * 3, [False, False, False, True]])
def test_corpora_of_equal_share_are_in_every_update_of_as_many_micro_batches(kinds):
    sources = sources_of([np.arange(3000) % 50 + 5] * len(kinds), kinds)
    share = {4: 0.5, 3: 0.5, 1: 0.25}[kinds.count(kinds[-1])]
    for limits in (BatchLimits(200), BatchLimits(None, 3)):
        epoch = plan(
            sources, parallel_share=share, limits=limits, size=UpdateSize(micro_batches=len(kinds))
        )
        assert (counts_by_update(sources, epoch)[:-1] > 0).all()


def test_no_micro_batch_exceeds_the_limits_unless_it_is_a_single_example(setting):
    sources = setting.sources()
    for limits in (BatchLimits(230), BatchLimits(1100, 20), BatchLimits(600, multiple=8)):
        for batch in setting.plan(sources, limits=limits, size=UpdateSize(micro_batches=3)):
            assert cost_of(sources, batch.indices) <= limits.max_tokens or len(batch) == 1
            assert len(batch) <= (limits.max_sentences or np.inf)
            assert batch.max_tokens == limits.max_tokens


def test_micro_batches_of_updates_of_a_stated_size_keep_to_the_limits_too(setting):
    """Blocks of similar length hold them, as neighbouring buckets share a micro-batch."""
    sources = setting.sources()
    costs, kinds = costs_of(sources), np.array([s.parallel for s in sources])[corpus_of(sources)]
    for size in (UpdateSize(tokens=9000), UpdateSize(examples=300)):
        for limits in (BatchLimits(230), BatchLimits(1100, 20), BatchLimits(6000)):
            for batch in setting.plan(sources, limits=limits, size=size, world=2):
                assert len(batch) <= (limits.max_sentences or np.inf)
                own = [costs[batch.indices[kinds[batch.indices] == kind]] for kind in (0, 1)]
                tokens = sum(
                    len(block) * one[block].max()
                    for one, blocks in zip(own, blocks_within(own, limits.max_tokens))
                    for block in blocks
                )
                assert tokens <= limits.max_tokens or len(batch) == 1


@pytest.mark.parametrize("together", [1, 7, 50])
def test_how_many_examples_are_moved_together_changes_nothing(setting, monkeypatch, together):
    sources = setting.sources()
    sizes = UpdateSize(micro_batches=3), UpdateSize(examples=50), UpdateSize(examples=10**6)
    limits = BatchLimits(1100)
    plans = [setting.plan(sources, limits=limits, size=size).updates for size in sizes]
    monkeypatch.setattr(sampling, "_TOGETHER", together)
    for size, updates in zip(sizes, plans):
        again = setting.plan(sources, limits=limits, size=size).updates
        assert all(np.array_equal(*both) for both in zip(again, updates))


def test_every_update_has_exactly_the_stated_number_of_examples(setting):
    sources = setting.sources()
    for examples in (10, 400):
        epoch = setting.plan(sources, size=UpdateSize(examples=examples))
        sizes = counts_by_update(sources, epoch).sum(axis=1)
        assert set(sizes[:-1]) == {examples} and 0 < sizes[-1] <= examples


def test_an_epoch_is_one_pass_over_the_pairs_with_sentences_by_their_share(sources):
    for share, sentences in ((0.5, 220), (0.25, 660), (0.8, 55)):
        for size in (UpdateSize(micro_batches=2), UpdateSize(examples=50)):
            seen = seen_in(plan(sources, parallel_share=share, size=size))
            assert sorted(seen[seen >= 350]) == list(range(350, 570))
            assert (seen < 350).sum() == pytest.approx(sentences, abs=1)


def test_one_kind_alone_is_one_pass_over_it(sources):
    for part in (sources[:2], sources[2:]):
        for size in (UpdateSize(micro_batches=3), UpdateSize(tokens=700)):
            seen = seen_in(plan(part, size=size, parallel_share=0.1))
            assert sorted(seen) == sorted(np.concatenate([s.indices for s in part]))


def test_temperature_sampling():
    sizes = np.array([900, 100])
    assert resampled_sizes(sizes, 1.0).tolist() == [900, 100]
    assert resampled_sizes(sizes, 0.0).tolist() == [500, 500]
    shares = np.array([0.9, 0.1]) ** 0.7
    expected = np.round(1000 * shares / shares.sum())
    assert resampled_sizes(sizes, 0.7).tolist() == expected.tolist()
    assert resampled_sizes(sizes, 1.0, 50).tolist() == [45, 5]
    assert resampled_sizes(np.array([10**6, 1]), 1.0, 50).tolist() == [50, 1]


def test_oversampling_repeats_everything_before_anything_a_third_time(sources):
    batches = plan(sources[:2], alpha=0.0)  # 350 examples, 175 from each corpus
    counts = np.bincount(np.concatenate(as_lists(batches)), minlength=350)
    assert counts[:300].sum() == counts[300:].sum() == 175
    assert counts[:300].max() == 1 and set(counts[300:]) == {3, 4}


def test_equal_costs_come_in_random_order():
    size = 4000
    alone = sources_of([np.full(size, 10)], [True])
    (order,) = as_lists(plan(alone, limits=BatchLimits(max_sentences=size)))
    assert sorted(order) == list(range(size))
    assert abs(np.corrcoef(order, np.arange(size))[0, 1]) < 0.1


def test_a_plan_is_a_function_of_seed_and_epoch(sources):
    for size in (UpdateSize(micro_batches=2), UpdateSize(examples=60)):
        epochs = [
            as_lists(plan(sources, size=size, seed=seed)) for seed in ((1, 1), (1, 2), (2, 1))
        ]
        assert as_lists(plan(sources, size=size)) == epochs[0]
        assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
        members = [{frozenset(batch) for batch in epoch} for epoch in epochs]
        assert len(members[0] & members[1]) < len(members[0]) / 4


EXTREMES = {
    "one example of each": ([[5], [9], [200]], [False, True, True]),
    "many and three": ([np.arange(100_000) % 40 + 3, [60, 4, 30]], [True, True]),
    "many of a kind and three": ([np.arange(100_000) % 40 + 3, [60, 4, 30]], [False, True]),
    "all lengths equal": ([[20] * 700, [20] * 30, [20]], [False, True, True]),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("share, alpha", [(0.5, 1), (0.01, 0), (0.99, 0.3)])
def test_extreme_corpora(name, share, alpha):
    sources = sources_of(*EXTREMES[name])
    longest = int(costs_of(sources).max())
    settings = dict(parallel_share=share, alpha=alpha, world=3)
    for limits in (BatchLimits(longest), BatchLimits(4 * longest, multiple=8)):
        for size in (UpdateSize(64), UpdateSize(tokens=longest), UpdateSize(examples=1000)):
            epoch = plan(sources, limits=limits, size=size, **settings)
            counts = counts_by_update(sources, epoch)
            assert counts.sum() == len(epoch.updates.indices) and (counts.sum(axis=0) > 0).all()
            if alpha == 1:
                pairs = np.concatenate([s.indices for s in sources if s.parallel])
                seen = epoch.updates.indices[epoch.updates.indices >= pairs[0]]
                assert sorted(seen) == pairs.tolist()
            if size.micro_batches:
                for batch in epoch[:: max(1, len(epoch) // 200)]:
                    cost = cost_of(sources, batch.indices)
                    assert cost <= limits.max_tokens or len(batch) == 1


def test_validation_sees_every_example_once_whatever_the_number_of_ranks(sources):
    bounds = np.array([0, 300, 350, 550, 570])
    for world in (1, 2, 3):
        batches = plan_validation(sources, BatchLimits(max_tokens=400), world=world)
        assert sorted(seen_in(batches)) == list(range(570))
        assert len(batches) % world == 0
        for batch in batches:
            assert len(set(np.searchsorted(bounds, batch.indices, side="right"))) == 1
            assert cost_of(sources, batch.indices) <= 400


def test_all_examples_of_a_dataset_are_a_source():
    batches = plan_validation([ExampleSource(np.array([3, 9, 4]))], BatchLimits(12), world=1)
    assert as_lists(batches) == [[0, 2], [1]]
    assert {b.normalizers["pairs"] for b in batches} == {0}
    assert {b.normalizers["mlm_tokens"] for b in batches} == {0}
