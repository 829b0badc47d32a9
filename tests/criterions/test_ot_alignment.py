"""Optimal transport and its anchor against a twin that takes one sentence at a time."""

import copy
import logging

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from fairseq_amber.criterions import anchor
from fairseq_amber.criterions.amber import AmberCriterionConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.data.whole_words import WordBoundaries
from fairseq_amber.objectives.optimal_transport import sinkhorn, sinkhorn_divergence
from fairseq_amber.tasks import points_and_links

ALONE = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
BEGINS = np.arange(45) % 3 != 0  # of the toy words a third continue one
ENDS = np.arange(45) < 4


@pytest.fixture(autouse=True)
def toy_words(monkeypatch):
    """The toy dictionary marks none."""
    toy = WordBoundaries(BEGINS, ENDS)
    monkeypatch.setattr(points_and_links, "word_boundaries", lambda *args, **settings: toy)


@pytest.fixture
def build(make_task, make_model):
    """A task with words, its model, and a criterion whose frozen encoder is another model."""

    def make(config=TransportConfig, name="ot_alignment", update_freq=(1,), **settings):
        task = make_task(update_freq=list(update_freq))
        initial = make_model(seed=1)
        task.model = initial
        cfg = OmegaConf.structured(config(_name=name, **{**ALONE, **settings}))
        criterion = task.build_criterion(cfg).train()
        task.model = make_model(seed=2)
        return task, task.model, criterion, initial

    return make


def batches(task, max_tokens=300, world=1):
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, num_shards=world)
    return [data.collater([data[item] for item in batch]) for batch in plan.frozen_batches]


def places(sentence, words=True, specials=False):
    """Where the last subword of each word is in <s> x </s>."""
    last = [
        i + 1
        for i in range(len(sentence))
        if not words or i + 1 == len(sentence) or BEGINS[sentence[i + 1]]
    ]
    return [0, *last, len(sentence) + 1] if specials else last


def states(model, sentence, layer=-1):
    tokens = torch.tensor([[0, *sentence, 2]])
    return model(tokens, return_all_hiddens=True)[1]["inner_states"][layer][0]


def points_of(task, sample, model, initial, **choice):
    """Of every pair: source points, target points, and the latter before training."""
    out = []
    data = task.datasets["train"]
    for index in sample["id"].tolist():
        x, y = (side.tolist() for side in data[index]["tokens"])  # *-en: y is English
        at_x, at_y = (places(side, **choice) for side in (x, y))
        with torch.no_grad():
            before = states(initial, y)[at_y]
        out.append((states(model, x)[at_x], states(model, y)[at_y], before))
    return out


def divergence(x, y, **settings):
    weights = [torch.full((1, len(side)), 1 / len(side)) for side in (x, y)]
    return sinkhorn_divergence(x[None], y[None], *weights, **settings)[0]


def loss_and_gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return loss.item(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


def check_same(model, loss, expected):
    value, gradient = loss_and_gradient(model, loss)
    wanted, wanted_gradient = loss_and_gradient(model, expected)
    assert value == pytest.approx(wanted, rel=2e-5)
    for name, of_parameter in wanted_gradient.items():
        torch.testing.assert_close(gradient[name], of_parameter, rtol=1e-3, atol=1e-4)
    return gradient


def squares(pairs):
    return [(y - before).square().sum(1) for _, y, before in pairs]


def test_the_paper_pools_the_words_of_a_batch_and_holds_the_mean_target_word(build):
    task, model, criterion, initial = build()
    for sample in batches(task)[:3]:
        pairs = points_of(task, sample, model, initial)
        transport = divergence(*(torch.cat(side) for side in list(zip(*pairs))[:2]))
        expected = transport + torch.cat(squares(pairs)).mean()
        loss, size, log = criterion(model, {**sample, "normalizers": None})
        assert size == 1
        check_same(model, loss, expected)
        assert log["ot_sum"].item() == pytest.approx(transport.item() * len(pairs), rel=1e-5)
        assert log["anchor_count"] == sum(len(y) for _, y, _ in pairs)


@pytest.mark.parametrize(
    "choice, words, specials",
    [
        (dict(ot_points="subwords"), False, False),
        (dict(ot_special_tokens=True), True, True),
        (dict(ot_p=1, ot_blur=0.5, ot_scaling=0.7, ot_biased=True), True, False),
    ],
)
def test_sentence_by_sentence_with_other_points_and_other_settings(build, choice, words, specials):
    task, model, criterion, initial = build(ot_scope="sentence", anchor_weight=0.3, **choice)
    sample = batches(task)[0]
    settings = {}
    if "ot_p" in choice:
        settings = dict(p=1, blur=0.5, scaling=0.7, debias=False)
    pairs = points_of(task, sample, model, initial, words=words, specials=specials)
    transport = torch.stack([divergence(x, y, **settings) for x, y, _ in pairs]).mean()
    expected = transport + 0.3 * torch.cat(squares(pairs)).mean()
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def test_equal_sentences_share_the_mass_of_a_pooled_problem_evenly(build):
    task, model, criterion, initial = build(ot_equal_sentences=True, anchor_weight=0.0)
    sample = batches(task)[0]
    pairs = points_of(task, sample, model, initial)
    masses = [
        torch.cat([torch.full((len(pair[side]),), 1 / len(pair[side])) for pair in pairs])
        for side in (0, 1)
    ]
    expected = sinkhorn_divergence(
        *(torch.cat(side)[None] for side in list(zip(*pairs))[:2]),
        *(mass[None] / len(pairs) for mass in masses),
    )
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected[0])


def test_targets_may_be_those_of_the_frozen_encoder(build):
    task, model, criterion, initial = build(
        ot_target_states="frozen", ot_scope="sentence", anchor_weight=0.0
    )
    sample = batches(task)[0]
    pairs = points_of(task, sample, model, initial)
    expected = torch.stack([divergence(x, before) for x, _, before in pairs]).mean()
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


@pytest.mark.parametrize("reduction", ["sum", "mse"])
@pytest.mark.parametrize("scope", ["batch", "sentence"])
def test_other_reductions_of_the_anchor(build, reduction, scope):
    task, model, criterion, initial = build(
        ot_weight=0.0, anchor_reduction=reduction, ot_scope=scope
    )
    sample = batches(task)[0]
    losses = squares(points_of(task, sample, model, initial))
    if reduction == "mse":
        expected = torch.cat(losses).mean() / 16
    else:
        expected = torch.cat(losses).sum() / (1 if scope == "batch" else len(losses))
    check_same(model, criterion(model, {**sample, "normalizers": None})[0], expected)


def cosine(x, y):
    x, y = (side / side.norm(dim=1, keepdim=True) for side in (x, y))
    return 1 - x @ y.t()


@pytest.mark.parametrize(
    "choice",
    [
        dict(),
        dict(ot_reach=0.5),
        dict(ot_mass=0.7),
        dict(ot_marginals="norm"),
        dict(ot_position_weight=0.5),
        dict(ot_cost="sqeuclidean"),
        dict(ot_gradient="unrolled", ot_iterations=5),
        dict(ot_solver="exact"),
    ],
    ids=str,
)
def test_practical_choices(build, choice):
    settings = {"ot_solver": "sinkhorn", "ot_scope": "sentence", "anchor_weight": 0.0, **choice}
    task, model, criterion, initial = build(**settings)
    sample = batches(task)[0]
    costs = []
    for x, y, _ in points_of(task, sample, model, initial):
        if choice.get("ot_cost") == "sqeuclidean":
            cost = (x.unsqueeze(1) - y).square().sum(2)
            norms = [side.detach().square().sum(1).max() for side in (x, y)]
            cost = cost / max(cost.detach().max(), *norms)
        else:
            cost = cosine(x, y)
        if "ot_position_weight" in choice:
            at = [(torch.arange(len(side)) + 0.5) / len(side) for side in (x, y)]
            cost = cost + 0.5 * (at[0].unsqueeze(1) - at[1]).abs()
        weights = [torch.ones(len(side)) for side in (x, y)]
        if choice.get("ot_marginals") == "norm":
            weights = [side.detach().norm(dim=1) for side in (x, y)]
        weights = [w / w.sum() for w in weights]
        if choice.get("ot_solver") == "exact":
            ot = pytest.importorskip("ot")
            doubles = [w.double().numpy() / w.double().sum().item() for w in weights]
            plan = torch.from_numpy(ot.emd(*doubles, cost.detach().double().numpy())).float()
            costs.append((plan * cost).sum())
            continue
        costs.append(
            sinkhorn(
                cost[None],
                *(w[None] for w in weights),
                epsilon=0.1,
                iterations=choice.get("ot_iterations", 50),
                reach=choice.get("ot_reach"),
                mass=choice.get("ot_mass"),
                gradient=choice.get("ot_gradient", "envelope"),
            ).cost[0]
        )
    check_same(
        model, criterion(model, {**sample, "normalizers": None})[0], torch.stack(costs).mean()
    )


def test_the_update_divides_by_its_pairs_and_target_points(build):
    task, model, criterion, initial = build(update_freq=(3,), ot_scope="sentence")
    samples = batches(task, max_tokens=200)[:3]
    loss = sum(criterion(model, sample)[0] for sample in samples) / 3
    pairs = [pair for sample in samples for pair in points_of(task, sample, model, initial)]
    expected = torch.stack([divergence(x, y) for x, y, _ in pairs]).mean()
    check_same(model, loss, expected + torch.cat(squares(pairs)).mean())


def test_english_is_the_target_on_whichever_side_it_is(build):
    task, model, criterion, initial = build(ot_target_language="de", ot_weight=0.0)
    sample = next(s for s in batches(task) if s["corpus"] == "de-en")
    assert sample["points"]["target_side"] == 0
    data = task.datasets["train"]
    losses = []
    for index in sample["id"].tolist():
        x = data[index]["tokens"][0].tolist()
        with torch.no_grad():
            before = states(initial, x)[places(x)]
        losses.append((states(model, x)[places(x)] - before).square().sum(1))
    check_same(
        model, criterion(model, {**sample, "normalizers": None})[0], torch.cat(losses).mean()
    )


def test_the_frozen_encoder_belongs_to_nothing_that_trains_or_saves(build):
    _, _, criterion, initial = build()
    assert not list(criterion.parameters()) and not criterion.state_dict()
    frozen = criterion.transport.frozen
    assert not any(p.requires_grad for p in frozen.model.parameters())
    tokens = torch.tensor([[0, 5, 6, 7, 2]])
    expected = states(initial, [5, 6, 7])
    torch.testing.assert_close(frozen(tokens, like=torch.zeros(1))[0], expected)
    half = torch.zeros(1, dtype=torch.bfloat16)
    assert frozen(tokens, like=half).dtype == torch.bfloat16


def test_the_frozen_encoder_is_the_checkpoint_that_training_starts_from(
    make_task, make_model, tmp_path, caplog
):
    task = make_task()
    started = make_model(seed=5)
    state = {"model": started.state_dict(), "cfg": None, "args": None, "extra_state": {"epoch": 1}}
    history = {"criterion_name": "c", "optimizer_name": "o", "num_updates": 0}
    state["optimizer_history"] = [{**history, "lr_scheduler_state": {}}]
    state["extra_state"]["train_iterator"] = {"epoch": 1, "iterations_in_epoch": 0}
    torch.save(state, tmp_path / "start.pt")
    for settings in (
        dict(finetune_from_model=str(tmp_path / "start.pt")),
        dict(restore_file=str(tmp_path / "start.pt")),
        dict(anchor_checkpoint=str(tmp_path / "start.pt"), finetune_from_model="elsewhere.pt"),
    ):
        task.model = make_model(seed=2)
        config = TransportConfig(_name="ot_alignment", **{**ALONE, **settings})
        criterion = task.build_criterion(OmegaConf.structured(config))
        weights = criterion.transport.frozen.model.state_dict()
        for name, value in weights.items():
            torch.testing.assert_close(value, started.state_dict()[name], rtol=0, atol=0)
    with caplog.at_level(logging.WARNING):
        task.build_criterion(OmegaConf.structured(TransportConfig(_name="ot_alignment", **ALONE)))
    assert "random weights" in caplog.text


def test_going_on_from_an_anchored_checkpoint_asks_for_the_initial_one(
    make_task, make_model, tmp_path, monkeypatch
):
    task = make_task()
    task.model = make_model()
    cfg = OmegaConf.create({"criterion": {"_name": "ot_alignment", "anchor_weight": 1.0}})
    path = str(tmp_path / "half.pt")
    torch.save({"model": task.model.state_dict()}, path)

    def load(file):
        return {**torch.load(file), "cfg": cfg}

    monkeypatch.setattr(anchor.checkpoint_utils, "load_checkpoint_to_cpu", load)

    def build(**settings):
        config = TransportConfig(_name="ot_alignment", finetune_from_model=None, **settings)
        return task.build_criterion(OmegaConf.structured(config))

    with pytest.raises(SystemExit, match="half.pt was itself kept near an initial encoder"):
        build(restore_file=path)
    assert build(restore_file=path, anchor_checkpoint=path).transport.frozen
    assert build(restore_file=path, anchor_weight=0.0).transport.frozen is None
    (tmp_path / "broken.pt").write_text("no checkpoint")
    with pytest.raises(SystemExit, match="broken.pt is no checkpoint of fairseq$"):
        build(restore_file=str(tmp_path / "broken.pt"))


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(ot_p=3), "--ot-p 3"),
        (dict(ot_mass=1.5), "--ot-mass 1.5"),
        (dict(ot_epsilon=0.0), "--ot-epsilon 0.0"),
        (dict(ot_solver="sinkhorn", ot_mass=0.5, ot_reach=1.0), "either partial or unbalanced"),
        (dict(ot_reach=1.0), "--ot-reach has no effect"),
        (dict(ot_solver="sinkhorn", ot_position_weight=1.0), "--ot-scope sentence"),
        (dict(ot_epsilon=0.2), "--ot-epsilon has no effect on --ot-solver divergence"),
        (dict(ot_solver="sinkhorn", ot_blur=0.1), "--ot-blur has no effect"),
        (dict(ot_solver="exact", ot_iterations=9), "--ot-iterations has no effect"),
        (dict(ot_equal_sentences=True, ot_scope="sentence"), "no effect on --ot-scope sentence"),
        (
            dict(ot_solver="sinkhorn", ot_kernel="triton", ot_mass=0.5),
            "--ot-kernel triton knows neither",
        ),
        (dict(ot_layer=9), "--ot-layer 9"),
        (dict(anchor_checkpoint="nowhere.pt"), "nowhere.pt does not exist"),
        (dict(ot_weight=0.0, anchor_weight=0.0), "every term"),
        (dict(anchor_weight=-1.0), "--anchor-weight -1.0"),
    ],
)
def test_bad_settings_are_refused(build, settings, message):
    with pytest.raises(SystemExit, match=message):
        build(**settings)


AMBER = dict(config=AmberCriterionConfig, name="amber", mlm_weight=0.0, tlm_weight=0.0)


@pytest.mark.parametrize("wa_weight", [0.0, 1.0])
def test_amber_takes_transport_beside_its_terms(build, wa_weight):
    """From word alignment's rows as from sentences by themselves."""
    task, model, criterion, initial = build(
        **AMBER, wa_weight=wa_weight, ot_weight=0.5, anchor_weight=0.25, ot_scope="sentence"
    )
    sample = next(s for s in batches(task, max_tokens=900) if s["parallel"])
    loss, _, log = criterion(model, sample)
    update = sample["normalizers"]
    pairs = points_of(task, sample, model, initial)
    transport = torch.stack([divergence(x, y) for x, y, _ in pairs]).sum()
    anchor = torch.cat(squares(pairs)).sum()
    assert log["ot_sum"].item() == pytest.approx(transport.item(), rel=1e-5)
    assert log["anchor_sum"].item() == pytest.approx(anchor.item(), rel=1e-5)
    plain = copy.copy(criterion)
    plain.transport = None
    plain.weights = {**criterion.weights, "ot": 0.0, "anchor": 0.0}
    rest = plain(model, sample)[0]
    expected = rest + update["micro_batches"] * (
        0.5 * transport / update["pairs"] + 0.25 * anchor / update["points"]
    )
    check_same(model, loss, expected)


def test_amber_refuses_to_describe_a_transport_that_it_leaves_out(build):
    with pytest.raises(SystemExit, match="--ot-epsilon has no effect without --ot-weight"):
        build(**AMBER, ot_solver="divergence", ot_epsilon=0.2)


def test_amber_wants_one_layer_for_both_terms_that_read_sentences(build):
    with pytest.raises(SystemExit, match="--ot-layer 2 and --sa-layer 1 differ"):
        build(**AMBER, ot_weight=1.0, sa_layer=1)
