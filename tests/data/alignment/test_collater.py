"""The batch of a micro-batch: its blocks, and what refers to them."""

import numpy as np
import pytest
import torch

from fairseq_amber.data import blocks as blocks_module
from fairseq_amber.data.alignment.linked_words import LinkedWords
from fairseq_amber.data.alignment.needs import LinkSettings, Needs, PointSettings
from fairseq_amber.data.alignment.points import PointFinder
from fairseq_amber.data.alignment.rows import PairLayout
from fairseq_amber.data.layout import PairMarks
from toy_examples import collater, content, mixed_examples, pair, places, sentence

X, Y = np.array([10, 11, 12]), np.array([20, 21])
P, Q = np.array([13]), np.array([22, 23, 24, 25])
LAYOUT = PairLayout(PairMarks(positions="xlm"))
OWN_ROWS = Needs(tlm=False, alignment=False, sentences=True)


@pytest.fixture
def examples(random_sentences):
    """60 sentences and 60 pairs of three corpora, some of which are much longer than others."""
    return [
        *mixed_examples(random_sentences, 40),
        *mixed_examples(random_sentences, 20, seed=1, high=60),
    ]


@pytest.fixture
def block_price(monkeypatch):
    """Sets what a block costs, in tokens: the more, the fewer blocks there are."""
    return lambda tokens: monkeypatch.setattr(blocks_module, "BLOCK_TOKENS", tokens)


def in_order(batch, examples):
    return [examples[number] for number in batch["order"].tolist()]


def by_draw(batch, examples):
    """What the blocks of a batch hold of each example, by the example's draw."""
    found = [one for block in batch["blocks"] for one in content(block)]
    return {e.draw: one for e, one in zip(in_order(batch, examples), found)}


def test_blocks_hold_all_sentences_and_then_all_pairs_in_the_order_that_is_given(examples):
    batch = collater(Needs(others=True), LAYOUT).batch(examples, epoch=1)
    kinds = [block["parallel"] for block in batch["blocks"]]
    assert kinds == sorted(kinds) and kinds.count(False) > 1 and kinds.count(True) > 1
    assert sorted(batch["order"].tolist()) == list(range(120))
    assert (batch["nsentences"], batch["npairs"]) == (120, 60)
    found = by_draw(batch, examples)
    tokens = 0
    for example in examples:
        rows = found[example.draw]["rows"]
        if len(example.sentences) == 1:
            assert found[example.draw]["own"][0][0] == [0, *example.sentences[0], 2]
            tokens += 2 * len(rows[0])
        else:
            x, y = example.sentences
            assert rows[1] == [0, *x, 2, *y, 2]
            tokens += 3 * len(rows[0])
    assert batch["ntokens"] == tokens


def test_blocks_of_similar_length_save_padding(examples, block_price):
    cut = places(collater().batch(examples, epoch=1))
    block_price(10**9)
    assert cut < 0.6 * places(collater().batch(examples, epoch=1))


@pytest.mark.parametrize("needs", [Needs(others=True), Needs(), Needs(alignment=False)])
def test_rows_fit_into_the_limit_as_far_as_more_blocks_can_help(examples, needs):
    make = collater(needs)
    batch = make.batch(examples, epoch=1)
    count, free, real = len(batch["blocks"]), places(batch), batch["ntokens"]
    assert len(make.batch(examples, epoch=1, max_tokens=free)["blocks"]) == count
    for limit in np.linspace(real, free - 1, 5).astype(int).tolist():
        batch = make.batch(examples, epoch=1, max_tokens=limit)
        assert places(batch) <= limit and len(batch["blocks"]) > count
        assert batch["ntokens"] == real
    assert places(make.batch(examples, epoch=1, max_tokens=1)) == real


@pytest.mark.parametrize("others", [True, False])
def test_masked_pairs_and_their_sentences_in_rows_of_their_own_fit_into_the_limit(others):
    """The longest pair and the longest sentence of a block may be of two pairs."""
    make = collater(Needs(alignment=False, sentences=True, others=others))
    for lengths in ([(5, 5), (2, 6)], [(5, 5), (2, 6), (9, 1), (6, 4)]):
        members = [pair(n, [20] * a, [21] * b) for n, (a, b) in enumerate(lengths)]
        limit = sum(a + b + 3 + 2 * (max(a, b) + 2) for a, b in lengths)
        assert places(make.batch(members, epoch=1, max_tokens=limit)) == limit
        assert len(make.batch(members, epoch=1)["blocks"]) == 1


def test_a_row_that_may_have_two_segments_counts_one_more_token(block_price):
    block_price(64)
    lines = np.array([0, 3])
    two = [sentence(draw, np.arange(10, 16), lines) for draw in range(4)]
    examples = [*two, sentence(9, np.arange(10, 18))]
    real = 4 * (6 + 3) + (8 + 2)
    assert places(collater().batch(examples, epoch=1)) == real + 4
    assert places(collater().batch(examples, epoch=1, max_tokens=real + 3)) == real


@pytest.mark.parametrize("price", [0, 10**9])
@pytest.mark.parametrize("needs", [Needs(others=True), Needs(alignment=False), OWN_ROWS])
def test_what_is_made_of_an_example_depends_on_neither_its_block_nor_its_micro_batch(
    examples, block_price, needs, price
):
    make = collater(needs, LAYOUT)
    together = by_draw(make.batch(examples, epoch=3), examples)
    block_price(price)
    batch = make.batch(examples[::-1], epoch=3)
    assert by_draw(batch, examples[::-1]) == together
    assert (len(batch["blocks"]) == 2) == (price > 0)
    apart = {}
    for start in range(0, 120, 7):
        part = examples[start : start + 7]
        apart.update(by_draw(make.batch(part, epoch=3), part))
    assert apart == together


@pytest.mark.parametrize("change", [dict(seed=2), dict(epoch=4), dict(draw=1000)])
def test_masks_depend_on_seed_epoch_and_draw(examples, change):
    def predictions(seed=1, epoch=3, draw=0):
        moved = [e._replace(draw=e.draw + draw) for e in examples]
        found = by_draw(collater(seed=seed).batch(moved, epoch), moved)
        return [found[e.draw]["predicted"] for e in moved if len(e.sentences[0]) > 20]

    assert predictions() == predictions()
    same = [one == other for one, other in zip(predictions(), predictions(**change))]
    assert len(same) > 15 and not all(same) and sum(same) < 3


def test_micro_batches_of_one_kind():
    sentences = collater(Needs(others=True)).batch([sentence(0, X), sentence(1, P)], epoch=1)
    assert [block["parallel"] for block in sentences["blocks"]] == [False]
    assert sentences["npairs"] == 0 and sentences["pairs"]["source_key"].shape == (0,)
    pairs = collater(Needs(others=True)).batch([pair(0, X, Y)], epoch=1)
    assert [block["parallel"] for block in pairs["blocks"]] == [True]
    assert pairs["npairs"] == 1 and pairs["others"]["corpus"].shape == (0,)


def test_the_keys_of_pairs_and_sentences_are_in_the_order_of_the_blocks(examples):
    make = collater(Needs(others=True))
    batch = make.batch(examples, epoch=1)
    ordered = in_order(batch, examples)
    for name, count in (("pairs", 2), ("others", 1)):
        own = [e for e in ordered if len(e.sentences) == count]
        assert batch[name]["corpus"].tolist() == [e.corpus for e in own]
        for key, side in (("source_key", 0), ("target_key", -1)):
            alone = [make.rows.keys([e.sentences[side]]).item() for e in own]
            assert batch[name][key].tolist() == alone
        draws = [own[number].draw for number in batch[name]["by_draw"].tolist()]
        assert draws == sorted(draws) and len(draws) == 60
    assert {*batch["pairs"]["corpus"].tolist()} == {1, 2, 3}


def test_keys_are_made_where_sentences_are_compared(examples):
    batch = collater(Needs(alignment=False)).batch(examples, epoch=1)
    assert "pairs" not in batch and "others" not in batch
    assert "pairs" in collater(OWN_ROWS).batch(examples, epoch=1)
    batch = collater().batch(examples, epoch=1)
    assert "pairs" in batch and "others" not in batch
    assert not any("sentences" in block for block in batch["blocks"])


@pytest.mark.parametrize("needs", [Needs(others=True), Needs(), OWN_ROWS])
def test_candidates_are_the_sentences_of_the_batch_in_the_same_order(examples, needs):
    make = collater(needs)
    batch, found = make.batch(examples, epoch=1), make.candidates(examples, filler=True)
    assert found["filler"] is True and ("others" in found) == needs.others
    ordered = in_order(batch, examples)
    for name, count in (("pairs", 2), ("others", 1))[: 1 + needs.others]:
        keys = {key: values for key, values in found[name].items() if key != "blocks"}
        assert set(keys) == {"corpus", "by_draw", "source_key", "target_key"}
        assert all(values.equal(batch[name][key]) for key, values in keys.items())
        rows = []
        for block in found[name]["blocks"]:
            tokens, mask = block["tokens"], block["mask"]
            assert mask.equal(tokens != 1)
            members = [row[row != 1].tolist() for row in tokens]
            size = len(members) // count
            rows += zip(*(members[side * size : (side + 1) * size] for side in range(count)))
        own = [e for e in ordered if len(e.sentences) == count]
        assert rows == [tuple([0, *side, 2] for side in e.sentences) for e in own]


def test_candidates_come_in_the_blocks_of_their_batch(examples):
    make = collater(Needs(others=True))
    limit = make.batch(examples, epoch=1)["ntokens"]
    for max_tokens in (None, limit):
        batch = make.batch(examples, 1, max_tokens)
        found = make.candidates(examples, filler=False, max_tokens=max_tokens)
        for name, parallel in (("pairs", True), ("others", False)):
            own = [b for b in batch["blocks"] if b["parallel"] is parallel]
            rows = [len(b["pair_widths"]) * b["pair_widths"][0] for b in own] if parallel else None
            rows = rows or [len(b["sentences"]["tokens"]) for b in own]
            assert [len(b["tokens"]) for b in found[name]["blocks"]] == rows


def test_a_step_without_pairs_has_no_block_of_candidates():
    found = collater().candidates([sentence(0, X)], filler=False)
    assert found["pairs"]["blocks"] == [] and found["pairs"]["source_key"].shape == (0,)


def pair_states(batch, examples, sides):
    """Of each state in turn: the draw of its pair, the side, and the column in ``<s> x </s>``."""
    pairs = iter([e for e in in_order(batch, examples) if len(e.sentences) == 2])
    states = []
    for block in batch["blocks"]:
        if block["parallel"]:
            count, width = block["pair_widths"]
            members = [next(pairs) for _ in range(count)]
            for side in sides(block, members):
                states += [(*side, column) for column in range(width)]
    return states


def both_sides(block, members):
    return [(e.draw, side) for side in (0, 1) for e in members]


@pytest.mark.parametrize("needs", [Needs(), OWN_ROWS, Needs(alignment=False, sentences=True)])
@pytest.mark.parametrize("pooled", [False, True])
def test_points_and_links_are_found_at_their_own_sentences_through_all_blocks(
    examples, needs, pooled
):
    rng = np.random.default_rng(5)
    examples = [
        e._replace(links=np.stack([rng.integers(0, len(x), 3) for x in e.sentences], axis=1))
        if len(e.sentences) == 2
        else e
        for e in examples
    ]
    points = PointFinder(PointSettings(words=False, pooled=pooled))
    linked = LinkedWords(LinkSettings(""))
    make = collater(needs, points=points, linked=linked)
    batch = make.batch(examples, epoch=1)
    assert sum(block["parallel"] for block in batch["blocks"]) > 2
    for block in batch["blocks"]:
        if block["parallel"]:
            tokens = block["sentences"]["tokens"] if needs.sentences else block["sentence_mask"]
            assert tuple(tokens.shape) == (2 * block["pair_widths"][0], block["pair_widths"][1])
    pairs = [e for e in in_order(batch, examples) if len(e.sentences) == 2]
    states = pair_states(batch, examples, both_sides)

    def targets_alone(block, members):
        chosen = block["target_rows"].tolist()
        return [both_sides(block, members)[row] for row in chosen]

    alone = pair_states(batch, examples, targets_alone)
    target = {e.draw: 0 if e.name == "en-tr" else 1 for e in pairs}
    problems = [[e] for e in pairs]
    if pooled:
        names = list(dict.fromkeys(e.name for e in pairs))
        problems = [[e for e in pairs if e.name == name] for name in names]
    for name, states_there, flip in (
        ("source_index", states, 1),
        ("target_index", states, 0),
        ("initial_index", alone, 0),
    ):
        mask = batch["points"][name.split("_")[0].replace("initial", "target") + "_mask"]
        for row, inside, members in zip(batch["points"][name], mask, problems):
            expected = []
            for e in members:
                side = abs(target[e.draw] - flip)
                expected += [(e.draw, side, 1 + at) for at in range(len(e.sentences[side]))]
            assert [states_there[at] for at in row[inside].tolist()] == expected
    assert batch["points"]["problem_pairs"].tolist() == [len(members) for members in problems]
    of_words: dict = {}
    for name, flip in (("source", 1), ("target", 0)):
        found = [states[at] for at in batch["links"][name].tolist()]
        ends = [(e, abs(target[e.draw] - flip), link) for e in pairs for link in e.links.tolist()]
        assert found == [(e.draw, side, 1 + link[side]) for e, side, link in ends]
        keys = batch["links"][f"{name}_key"].tolist()
        for key, (e, side, link) in zip(keys, ends):
            of_words.setdefault(key, set()).add((*e.sentences[side], -1, link[side]))
    assert all(len(words) == 1 for words in of_words.values())
    assert len(of_words) == len({word for (word,) in of_words.values()}) > 20
    if needs == Needs(alignment=False, sentences=True):  # whose blocks are the same
        ahead = make.candidates(examples, filler=False)["links"]
        assert all(torch.equal(ahead[name], value) for name, value in batch["links"].items())


def test_points_and_links_of_a_micro_batch_without_pairs():
    points = PointFinder(PointSettings(words=False))
    make = collater(OWN_ROWS, points=points, linked=LinkedWords(LinkSettings("")))
    batch = make.batch([sentence(0, X), sentence(1, Q)], epoch=1)
    for side in ("source", "target"):
        for name, dtype in (
            ("index", torch.int64),
            ("weights", torch.float64),
            ("mask", torch.bool),
        ):
            assert batch["points"][f"{side}_{name}"].shape == (0, 0)
            assert batch["points"][f"{side}_{name}"].dtype == dtype
    assert batch["points"]["targets"] == 0 and batch["points"]["problem_pairs"].shape == (0,)
    assert {(*one.shape, one.dtype) for one in batch["links"].values()} == {(0, torch.int64)}
