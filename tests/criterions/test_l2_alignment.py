"""The distance between linked words, and the anchor, against a twin for single sentences."""

from collections import Counter

import pytest
import torch
from omegaconf import OmegaConf

from fairseq_amber.criterions import terms
from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig, L2AlignmentCriterion

ALONE = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")


@pytest.fixture
def build(make_task, make_model, word_folder, link_folder):
    """A task, its model, and a criterion whose frozen encoder is another model."""

    def make(update_freq=1, **settings):
        task = make_task(data=str(word_folder), update_freq=[update_freq])
        task.model = initial = make_model(seed=1)
        settings = {**ALONE, "l2_links": str(link_folder), **settings}
        cfg = OmegaConf.structured(L2AlignmentConfig(_name="l2_alignment", **settings))
        criterion = task.build_criterion(cfg).train()
        task.model = make_model(seed=2).double()
        return task, task.model, criterion, initial.double()

    return make


def batches(task, max_tokens=300, world=1):
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, num_shards=world)
    return [data.collater([data[item] for item in batch]) for batch in plan.frozen_batches]


def last_subwords(sentence):
    """Where each word ends in <s> x </s>; subwords with even ids begin a word."""
    return [
        position + 1
        for position in range(len(sentence))
        if position + 1 == len(sentence) or sentence[position + 1] % 2 == 0
    ]


def states(model, sentence, layer):
    _, extra = model(torch.tensor([[0, *sentence, 2]]), return_all_hiddens=True)
    return extra["layers"][layer][0]


def slow_terms(
    task, links, sample, model, initial, layer=2, target="en", frozen=False, special=False
):
    """Squared distances over all one-to-one links, and of all target words to the initial model.

    Args:
        frozen: the targets of links are in the initial model.
        special: <s> and </s> are linked, and are target words.
    """
    data = task.datasets["train"]
    linked, held, names = [], [], set()
    for index in sample["id"].tolist():
        example = data[index]["example"]
        names.add(example.name)
        line = index - data.offsets[example.corpus]
        text = (links / f"train.{example.name}.align").read_text().splitlines()[line]
        pairs = {tuple(map(int, link.split("-"))) for link in text.split()}
        sides = [side.tolist() for side in example.sentences]
        at = [last_subwords(side) for side in sides]
        found = [states(model, side, layer) for side in sides]
        side = 0 if example.name.startswith(f"{target}-") else 1
        with torch.no_grad():
            before = states(initial, sides[side], layer)
        ends = [*found]
        if frozen:
            ends[side] = before
        for i, j in pairs:
            if Counter(p for p, _ in pairs)[i] == Counter(q for _, q in pairs)[j] == 1:
                linked.append((ends[0][at[0][i]] - ends[1][at[1][j]]).square().sum())
        places = at[side]
        if special:
            linked += [(ends[0][at] - ends[1][at]).square().sum() for at in (0, -1)]
            places = [0, *places, len(sides[side]) + 1]
        held += [(found[side][place] - before[place]).square().sum() for place in places]
    assert names == {"de-en", "tr-en"}
    return torch.stack(linked), torch.stack(held)


def gradient(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def check_same(model, ours, slow):
    assert ours.item() == pytest.approx(slow.item(), rel=1e-6)
    fast, expected = gradient(model, ours), gradient(model, slow)
    assert expected.norm() > 0
    assert (fast - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize(
    "settings, dim, held, layer, target",
    [
        ({}, 1, 1, 2, "en"),
        ({"l2_reduction": "mse", "anchor_reduction": "mse"}, 16, 16, 2, "en"),
        ({"anchor_weight": 0.0}, 1, 0, 2, "en"),
        ({"l2_target_language": "tr"}, 1, 1, 2, "tr"),
        ({"l2_layer": 1}, 1, 1, 1, "en"),
        ({"l2_special_tokens": True}, 1, 1, 2, "en"),
        ({"l2_target_states": "frozen", "l2_target_language": "de"}, 1, 1, 2, "de"),
        ({"l2_target_states": "frozen", "anchor_weight": 0.0}, 1, 0, 2, "en"),
        (
            {
                "l2_target_states": "frozen",
                "l2_special_tokens": True,
                "l2_reduction": "mse",
                "anchor_reduction": "mse",
            },
            *(16, 16, 2, "en"),
        ),
    ],
)
def test_it_equals_the_slow_twin(
    build, link_folder, many_blocks, settings, dim, held, layer, target
):
    task, model, criterion, initial = build(l2_weight=0.5, **settings)
    sample = batches(task)[0]
    assert len(sample["blocks"]) > 1
    choice = dict(
        frozen=settings.get("l2_target_states") == "frozen",
        special=settings.get("l2_special_tokens", False),
    )
    where = (layer, target)
    linked, anchored = slow_terms(task, link_folder, sample, model, initial, *where, **choice)
    assert len(linked) > 3
    expected = 0.5 * linked.mean() / dim
    if held:
        expected = expected + anchored.mean() / held
    loss, size, log = criterion(model, {**sample, "normalizers": None})
    assert size == 1 and log["l2_count"] == len(linked)
    assert log["anchor_count"] == (len(anchored) if held else 0)
    check_same(model, loss, expected)


@pytest.mark.parametrize("special", [False, True])
def test_the_update_divides_by_its_links_and_target_words(build, link_folder, many_blocks, special):
    task, model, criterion, initial = build(update_freq=3, l2_special_tokens=special)
    samples = batches(task)[:3]
    assert max(len(sample["blocks"]) for sample in samples) > 1
    loss = sum(criterion(model, sample)[0] for sample in samples) / 3
    terms = [
        slow_terms(task, link_folder, sample, model, initial, special=special) for sample in samples
    ]
    linked, anchored = (torch.cat(term) for term in zip(*terms))
    check_same(model, loss, linked.mean() + anchored.mean())


def test_a_batch_without_a_link_and_a_filler_add_nothing(build, link_folder, tmp_path):
    for path in link_folder.iterdir():
        (tmp_path / path.name).write_text("\n" * len(path.read_text().splitlines()))
    task, model, criterion, _ = build(l2_links=str(tmp_path), anchor_weight=0.0)
    sample = batches(task)[0]
    loss, _, log = criterion(model, sample)
    loss.backward()
    assert loss == 0 and log["l2_count"] == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())

    task, model, criterion, _ = build(l2_target_states="frozen", l2_special_tokens=True)
    filler = next(s for s in batches(task, max_tokens=2000, world=16) if s["filler"])
    loss, _, log = criterion(model, filler)
    loss.backward()
    logged = [log[name] for name in ("l2_sum", "l2_count", "anchor_sum", "anchor_count")]
    assert loss == 0 and not any(logged)
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_pairs_without_links_have_those_of_their_special_tokens(build, link_folder, tmp_path):
    for path in link_folder.iterdir():
        (tmp_path / path.name).write_text("\n" * len(path.read_text().splitlines()))
    settings = dict(l2_special_tokens=True, l2_target_states="frozen", anchor_weight=0.0)
    task, model, criterion, _ = build(l2_links=str(tmp_path), **settings)
    sample = batches(task)[0]
    _, _, log = criterion(model, sample)
    assert log["l2_count"] == 2 * sample["npairs"] and log["l2_sum"] > 0


def test_the_initial_encoder_is_held_only_where_a_term_reads_it(build):
    frozen = dict(l2_target_states="frozen")
    for settings, needed in (
        (dict(anchor_weight=0.0), False),
        (dict(anchor_weight=0.0, **frozen), True),
        (dict(l2_weight=0.0), True),
        ({}, True),
    ):
        _, _, criterion, _ = build(**settings)
        assert (criterion.frozen is not None) is needed


def test_a_setting_of_links_beside_which_the_anchor_alone_counts(build, monkeypatch):
    warned = []
    monkeypatch.setattr(terms, "warn", warned.append)
    build(l2_weight=0.0, l2_reduction="mse")
    assert warned == ["no effect with --l2-weight 0: --l2-reduction"]


def test_the_terms_are_logged(build):
    from fairseq import metrics

    task, model, criterion, _ = build(l2_weight=2.0, anchor_weight=0.5)
    logs = [criterion(model, sample)[2] for sample in batches(task)]
    with metrics.aggregate(new_root=True) as aggregate:
        L2AlignmentCriterion.reduce_metrics(logs)
        values = aggregate.get_smoothed_values()
    expected = 2 * values["l2_loss"] + 0.5 * values["anchor_loss"]
    assert values["loss"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(l2_links=None), "--l2-links names the folder with the word links"),
        (dict(l2_layer=3), "--l2-layer 3: the model has layers 1 to 2"),
        (dict(anchor_reduction="sum"), "--anchor-reduction sum is over the points of an OT"),
        (dict(anchor_checkpoint="nowhere.pt"), "nowhere.pt does not exist"),
        (dict(l2_weight=0.0, anchor_weight=0.0), "every term has weight 0"),
        (dict(l2_weight=-1.0), "--l2-weight -1.0 is not"),
        (
            dict(l2_weight=0.0, l2_target_states="frozen"),
            "--l2-target-states frozen has no effect without --l2-weight",
        ),
    ],
)
def test_a_mistake_ends_in_one_clear_line(build, settings, message):
    with pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}"):
        build(**settings)
