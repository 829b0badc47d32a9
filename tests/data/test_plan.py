"""What the micro-batches of a plan know of their update."""

import pickle

import numpy as np
import pytest

from fairseq_amber.data.batch_limits import BatchLimits
from fairseq_amber.data.plan import EpochPlan, MicroBatch, Updates, by_length_within_updates
from fairseq_amber.data.sampling import plan_validation
from fairseq_amber.data.update_size import UpdateSize
from toy_sources import as_lists, plan, sources_of, toy_sources, updates_of

SIZES = (
    UpdateSize(micro_batches=1),
    UpdateSize(micro_batches=7),
    UpdateSize(tokens=2500),
    UpdateSize(examples=90),
)


@pytest.fixture
def sources():
    """Pairs have points and links too."""
    rng = np.random.default_rng(5)
    return [
        one._replace(points_and_links=rng.integers(0, 9, (one.size, 2))) if one.parallel else one
        for one in toy_sources()
    ]


def is_pair(indices):
    return indices >= 350


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", [1, 2, 3])
def test_normalizers_count_the_whole_update_over_ranks_and_steps(sources, size, world):
    predicted = np.concatenate([s.predicted for s in sources])
    points_and_links = np.concatenate([np.zeros((350, 2)), *(s[4] for s in sources[2:])])
    epoch = plan(sources, size=size, world=world)
    for update in updates_of(epoch, world):
        indices = np.concatenate([b.indices for b in update if not b.filler])
        pairs = indices[is_pair(indices)]
        points, links = points_and_links[pairs].sum(axis=0)
        for batch in update:
            n = batch.normalizers
            assert n["micro_batches"] == len(update)
            assert n["pairs"] == len(pairs)
            assert n["mlm_tokens"] == predicted[indices[~is_pair(indices)]].sum()
            assert n["tlm_tokens"] == predicted[pairs].sum()
            assert (n["points"], n["links"]) == (points, links)


@pytest.mark.parametrize("size", SIZES)
def test_heights_are_the_most_that_any_rank_holds_at_each_step(sources, size):
    for world in (1, 3):
        fillers = 0
        for update in updates_of(plan(sources, size=size, world=world), world):
            steps = [update[start : start + world] for start in range(0, len(update), world)]
            pairs = update[0].normalizers["pair_heights"]
            sentences = update[0].normalizers["sentence_heights"]
            assert len(pairs) == len(sentences) == len(steps)
            for step, most_pairs, most_sentences in zip(steps, pairs, sentences):
                of_ranks = [is_pair(b.indices).sum() for b in step]
                others = [len(b) - n for b, n in zip(step, of_ranks)]
                assert most_pairs >= max(of_ranks) and most_sentences >= max(others)
                if not any(batch.filler for batch in step):  # its one example is of either kind
                    assert (most_pairs, most_sentences) == (max(of_ranks), max(others))
                else:
                    assert most_pairs <= max(1, *of_ranks) and most_sentences <= max(1, *others)
                    fillers += 1
        # Ranks share out an update whose size is stated directly evenly.
        assert fillers or world == 1 or size.direct or size.micro_batches == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", [1, 3])
def test_link_heights_are_the_most_links_that_any_rank_holds(sources, size, world):
    links = np.concatenate([np.zeros(350, dtype=int), *(s[4][:, 1] for s in sources[2:])])
    order = [sources[n] for n in (3, 0, 2, 1)]
    for epoch in (plan(order, size=size, world=world), plan(order[:2], size=size, world=world)):
        several = 0
        for update in updates_of(epoch, world):
            heights = update[0].normalizers["link_heights"]
            held = [0 if b.filler else links[b.indices].sum() for b in update]
            steps = [held[start : start + world] for start in range(0, len(held), world)]
            assert list(heights) == [max(step) for step in steps]
            several += len({*held}) > 2
        assert several or size.micro_batches == 1
    for update in updates_of(plan(toy_sources(), size=size, world=world), world):
        assert not any(update[0].normalizers["link_heights"])


@pytest.mark.parametrize("size", SIZES)
def test_the_first_micro_batch_of_an_update_knows_those_of_its_rank(sources, size):
    world = 3
    for update in updates_of(plan(sources, size=size, world=world), world):
        for rank in range(world):
            own = update[rank::world]
            for step, batch in enumerate(own):
                assert batch.step == step
                if len(own) == 1 or step > 0:
                    assert batch.update is None
                    continue
                assert batch.update[0] is batch
                assert as_lists(batch.update) == as_lists(own)
                assert [b.filler for b in batch.update] == [b.filler for b in own]
                assert [b.step for b in batch.update] == list(range(len(own)))
                assert {id(b.normalizers) for b in batch.update} == {id(batch.normalizers)}


def test_a_rank_without_data_gets_a_filler_that_does_not_count(sources):
    batches = plan(sources, size=UpdateSize(micro_batches=4), world=11)
    for update in updates_of(batches, 11):
        real, fillers = update[:4], update[4:]
        assert all(b.filler for b in fillers) and len(update) == 11
        first = real[0].indices[0], real[0].draws[0]
        assert {(*b.indices, *b.draws) for b in fillers} == {first}
    real = [b for b in batches if not b.filler]
    draws = np.concatenate([b.draws for b in real])
    assert sorted(draws) == list(range(len(batches.updates.indices)))


def test_draws_tell_apart_the_copies_of_an_example(sources):
    batches = plan(sources[:2], alpha=0.0, size=UpdateSize(examples=40))
    drawn = {
        (index, draw) for b in batches if not b.filler for index, draw in zip(b.indices, b.draws)
    }
    assert len(drawn) == 350 and len({index for index, _ in drawn}) == 175 + 50
    assert {draw for _, draw in drawn} == set(range(350))
    alone = MicroBatch(np.array([4, 7]))
    assert alone.draws.tolist() == [4, 7] and alone.normalizers is None and not alone.filler


def test_iteration_yields_every_example_with_its_micro_batch(sources):
    batch = plan(sources)[1]
    items = list(batch)
    assert [index for index, _ in items] == batch.indices.tolist() and len(items) == len(batch)
    assert all(type(index) is int and other is batch for index, other in items)


def test_a_slice_of_a_plan_is_a_plan(sources):
    batches = plan(sources, size=UpdateSize(micro_batches=4), world=2)
    everything = as_lists(batches)
    assert as_lists(batches[1::2]) == everything[1::2]
    assert as_lists(batches[1::2][3:]) == everything[1::2][3:]
    assert batches[1::2][2].normalizers == batches[5].normalizers
    assert as_lists([batches[-1]]) == everything[-1:]
    with pytest.raises(IndexError):
        batches[len(batches)]


def test_the_last_update_has_no_more_steps_than_it_needs():
    updates = Updates(
        indices=np.arange(9),
        ends=np.array([0, 2, 4, 6, 7, 9]),
        firsts=np.array([0, 3, 5]),
        pairs=np.zeros(5, dtype=int),
        counts=np.zeros((2, 4), dtype=int),
    )
    for world, freq, expected in (
        (1, 3, [[0, 1], [2, 3], [4, 5], [6], [7, 8]]),
        (2, 2, [[0, 1], [2, 3], [4, 5], [0], [6], [7, 8]]),
        (3, 1, [[0, 1], [2, 3], [4, 5], [6], [7, 8], [6]]),
        (1, 4, [[0, 1], [2, 3], [4, 5], [0], [6], [7, 8]]),
    ):
        epoch = EpochPlan(updates, world, freq, max_tokens=77)
        assert as_lists(epoch) == expected and epoch.update_freq == freq
        assert {batch.max_tokens for batch in epoch} == {77}
        sizes = [batch.normalizers["micro_batches"] for batch in epoch]
        assert sizes == [world * freq] * world * freq + [len(epoch) - world * freq] * (
            len(epoch) - world * freq
        )


def test_each_step_of_validation_is_an_update_of_its_own(sources):
    predicted = np.concatenate([s.predicted for s in sources])
    batches = list(plan_validation(sources, BatchLimits(max_tokens=400), world=2))
    for start in range(0, len(batches), 2):
        step = batches[start : start + 2]
        real = np.concatenate([b.indices for b in step if not b.filler])
        for batch in step:
            n = batch.normalizers
            assert n["micro_batches"] == 2 and batch.step == 0 and batch.update is None
            assert n["mlm_tokens"] + n["tlm_tokens"] == predicted[real].sum()
            assert n["pairs"] == is_pair(real).sum()


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_micro_batch_takes_its_examples_to_a_worker_and_not_the_plan(size):
    many = sources_of([np.arange(10_000) % 40 + 5] * 2, [False, True])
    epoch = plan(many, size=size, world=2)
    batch = epoch[0]
    sent = pickle.dumps(batch)
    assert len(pickle.dumps(epoch)) > 10 * len(sent)
    examples = sum(len(sibling) for sibling in batch.update)
    assert len(sent) < 1000 + 300 * len(batch.update) + 16 * examples
    received = pickle.loads(sent)
    assert as_lists(received.update) == as_lists(batch.update)
    assert [b.draws.tolist() for b in received.update] == [b.draws.tolist() for b in batch.update]
    assert received.update[batch.step] is received
    assert received.normalizers == batch.normalizers
    assert received.max_tokens == batch.max_tokens == 400


def test_examples_are_sorted_by_length_within_their_update_alone():
    costs = np.array([5, 1, 4, 2, 3, 9, 1])
    updates = Updates(
        indices=np.array([0, 1, 2, 3, 6, 5, 4]),
        ends=np.array([0, 2, 4, 6, 7]),
        firsts=np.array([0, 2, 4]),
        pairs=np.zeros(4, dtype=int),
        counts=np.zeros((2, 4), dtype=int),
    )
    found = by_length_within_updates(updates, costs)
    assert found.indices.tolist() == [1, 3, 2, 0, 6, 4, 5]
    assert found._replace(indices=updates.indices) == updates
