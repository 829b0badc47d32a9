"""The contrast of linked words, and its anchor, against a twin that takes one word at a time."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from fairseq_amber.criterions.contrastive_config import ContrastiveAlignmentConfig
from fairseq_amber.criterions.word_contrast import linked_pairs

ALONE = dict(mlm_weight=0.0, tlm_weight=0.0)
START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")


@pytest.fixture
def build(make_task, make_model, word_folder, link_folder):
    """A task, its model, a criterion of words whose frozen encoder is another model, and that."""

    def make(update_freq=1, folder=link_folder, share=0.5, **settings):
        task = make_task(data=str(word_folder), update_freq=[update_freq], parallel_share=share)
        task.model = initial = make_model(seed=1)
        settings = {**ALONE, **START, "contrast_links": str(folder), **settings}
        cfg = ContrastiveAlignmentConfig(
            _name="contrastive_alignment", contrast_units="words", **settings
        )
        torch.manual_seed(7)
        criterion = task.build_criterion(OmegaConf.structured(cfg)).train().double()
        task.model = make_model(seed=2).double()
        return task, task.model, criterion, initial.double()

    return make


def updates(task, update_freq=1, max_tokens=500, world=1):
    task.load_dataset("train")
    data = task.datasets["train"]
    plan = task.get_batch_iterator(data, max_tokens=max_tokens, seed=1, num_shards=world)
    samples = [data.collater([data[item] for item in batch]) for batch in plan.frozen_batches]
    slots = update_freq * world
    return [samples[i : i + slots] for i in range(0, len(samples), slots)]


def words_of(sentence):
    """(first, last) position of each word in <s> x </s>; subwords with even ids begin a word."""
    begins = [at for at in range(len(sentence)) if at == 0 or sentence[at] % 2 == 0]
    return [(at + 1, end) for at, end in zip(begins, [*begins[1:], len(sentence)])]


def states(model, sentence, layer=2):
    _, extra = model(torch.tensor([[0, *sentence, 2]]), return_all_hiddens=True)
    return extra["layers"][layer][0]


def slow_words(task, links, samples, model, *, subword=0, target="en", layer=2):
    """(source, target) of each one-to-one link of an update: (the word, its state)."""
    data, found = task.datasets["train"], []
    for index in (i for sample in samples if not sample["filler"] for i in sample["id"].tolist()):
        example = data[index]["example"]
        line = index - data.offsets[example.corpus]
        text = (links / f"train.{example.name}.align").read_text().splitlines()[line]
        pairs = sorted({tuple(map(int, link.split("-"))) for link in text.split()})
        sides = [side.tolist() for side in example.sentences]
        own = [states(model, side, layer) for side in sides]
        for link in pairs:
            if all(Counter(pair[s] for pair in pairs)[link[s]] == 1 for s in (0, 1)):
                ends = []
                for s, (side, vectors) in enumerate(zip(sides, own)):
                    at = words_of(side)[link[s]][subword]
                    ends.append(((*side, -1, at), vectors[at]))
                turned = example.name.startswith(f"{target}-")
                found.append(tuple(ends[::-1] if turned else ends))
    return found


def slow_contrast(words, *, strong=False, temperature=0.1, project=lambda x: x):
    """The mean over all 2 M words of -log of the share of their counterpart, by loops."""
    losses = []
    for side in (0, 1):
        for link in words:
            name, state = link[side]
            positive = None
            scores = []
            for other in words:
                same = any(other[s][0] == link[s][0] for s in (0, 1))  # other draws of its pair too
                for s in (1 - side, side) if strong else (1 - side,):
                    if other is link and s == side or (same and other is not link):
                        continue
                    score = F.cosine_similarity(project(state), project(other[s][1]), dim=0)
                    scores.append(score / temperature)
                    if other is link:
                        positive = scores[-1]
            losses.append(torch.stack(scores).logsumexp(0) - positive)
    return torch.stack(losses).mean()


def slow_anchor(task, samples, model, initial, target="en"):
    """The mean over all tokens of the target sentences."""
    data, held = task.datasets["train"], []
    for index in (i for sample in samples for i in sample["id"].tolist()):
        example = data[index]["example"]
        sentence = example.sentences[0 if example.name.startswith(f"{target}-") else 1].tolist()
        change = states(model, sentence) - states(initial, sentence).detach()
        held += list(change.square().sum(dim=1))
    return torch.stack(held).mean()


def gradient(loss, *modules):
    for module in modules:
        module.zero_grad(set_to_none=True)
    loss.backward()
    gradients = [
        torch.zeros_like(p) if p.grad is None else p.grad for m in modules for p in m.parameters()
    ]
    return torch.cat([g.flatten() for g in gradients])


SETTINGS = [
    {},
    {"contrast_negatives": "strong"},
    {"contrast_subword": "last", "contrast_layer": 1, "contrast_temperature": 0.5},
    {"contrast_negatives": "strong", "contrast_target_language": "tr", "anchor_weight": 0.3},
    {"contrast_projection": 5, "contrast_projection_layers": 2, "contrast_negatives": "strong"},
]


@pytest.mark.parametrize("update_freq", [1, 3])
@pytest.mark.parametrize("settings", SETTINGS)
def test_an_update_equals_the_slow_twin(build, link_folder, many_blocks, settings, update_freq):
    task, model, criterion, initial = build(update_freq, contrast_weight=0.5, **settings)
    update = updates(task, update_freq)[1]
    assert len(update) == update_freq and max(len(s["blocks"]) for s in update) > 1
    loss, logs = 0.0, []
    for sample in update:
        one, size, log = criterion(model, sample)
        assert size == 1
        loss = loss + one / update_freq
        logs.append(log)
    fast = gradient(loss, model, criterion)

    target = settings.get("contrast_target_language", "en")
    words = slow_words(
        task,
        link_folder,
        update,
        model,
        subword=-1 if settings.get("contrast_subword") == "last" else 0,
        target=target,
        layer=settings.get("contrast_layer", 2),
    )
    assert len(words) > 5 and sum(log["contrast_count"] for log in logs) == len(words)
    slow = slow_contrast(
        words,
        strong=settings.get("contrast_negatives") == "strong",
        temperature=settings.get("contrast_temperature", 0.1),
        project=criterion.projection or (lambda x: x),
    )
    total = sum(float(log["contrast_sum"]) for log in logs)
    assert total / len(words) == pytest.approx(slow.item(), rel=1e-5)
    slow = 0.5 * slow
    if "anchor_weight" in settings:
        slow = slow + 0.3 * slow_anchor(task, update, model, initial, target)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    expected = gradient(slow, model, criterion)
    assert expected.norm() > 0 and (fast - expected).norm() <= 1e-4 * expected.norm()


def test_a_word_that_is_drawn_again_is_no_negative(build, link_folder):
    task, model, criterion, _ = build(contrast_negatives="strong")
    task.load_dataset("train")
    data = task.datasets["train"]
    linked = next(c for c in data.corpora if c.links is not None and c.links.counts.any())
    first = data.offsets[data.corpora.index(linked)] + int(linked.links.counts.argmax())
    sample = data.collater([data[i] for i in (first, first, first + 1, first + 2)])
    loss, _, _ = criterion(model, sample)
    words = slow_words(task, link_folder, [sample], model)
    assert len({word for (word, _), _ in words}) < len(words)
    assert loss.item() == pytest.approx(slow_contrast(words, strong=True).item(), rel=1e-5)


def test_the_accuracy_counts_sources_whose_counterpart_is_nearest(build, link_folder):
    task, model, criterion, _ = build()
    [sample] = updates(task)[0]
    words = slow_words(task, link_folder, [sample], model)
    right = 0
    for name, state in (link[0] for link in words):
        scores = {
            link[1][0]: F.cosine_similarity(state, link[1][1], dim=0).item() for link in words
        }
        own = next(link[1][0] for link in words if link[0][0] == name)
        right += max(scores, key=scores.get) == own
    assert criterion(model, sample)[2]["contrast_correct"] == right


def test_scopes_choose_among_fewer_words(build):
    sums = []
    for scope in ("update", "step", "rank"):
        task, model, criterion, _ = build(update_freq=3, contrast_candidates=scope)
        update = updates(task, 3)[1]
        sums.append(sum(float(criterion(model, s)[2]["contrast_sum"]) for s in update))
    assert sums[0] > sums[1] == pytest.approx(sums[2])


def unlinked(link_folder, folder, keep=lambda line: False):
    for path in link_folder.iterdir():
        lines = path.read_text().splitlines()
        kept = (line if keep(number) else "" for number, line in enumerate(lines))
        (folder / path.name).write_text("".join(f"{line}\n" for line in kept))
    return folder


@pytest.mark.parametrize("scope", ["update", "step", "rank"])
@pytest.mark.parametrize("some", [False, True])
def test_steps_without_links_give_every_parameter_a_gradient(
    build, link_folder, tmp_path, scope, some
):
    """Every --ddp-backend needs that."""
    folder = unlinked(link_folder, tmp_path, lambda number: some and number % 30 == 0)
    settings = dict(contrast_candidates=scope, contrast_projection=3)
    task, model, criterion, _ = build(2, folder, **settings)
    bare = 0
    for update in updates(task, 2):
        for sample in update:
            loss, _, log = criterion(model, sample)
            assert loss.isfinite()
            loss.backward()
            for module in (model, criterion):
                assert [n for n, p in module.named_parameters() if p.grad is None] == []
                module.zero_grad(set_to_none=True)
            held = len(sample["links"]["source"])
            assert log["contrast_count"] == held
            if held == 0:
                assert log["contrast_sum"] == 0
                bare += any(len(other["links"]["source"]) for other in update) == some
    assert bare


def test_batches_without_pairs_give_every_parameter_a_gradient(build):
    weights = dict(mlm_weight=1.0, tlm_weight=1.0)
    task, model, criterion, _ = build(2, share=0.1, contrast_projection=3, **weights)
    pairs = {tuple(s["npairs"] > 0 for s in u): u for u in updates(task, 2, max_tokens=150)}
    mixed = pairs.get((True, False)) or pairs[False, True]
    for sample in mixed:
        loss, _, _ = criterion(model, sample)
        loss.backward()
        for module in (model, criterion):
            assert [n for n, p in module.named_parameters() if p.grad is None] == []
            module.zero_grad(set_to_none=True)


def test_a_filler_adds_no_anchor_and_no_candidate(build):
    task, model, criterion, _ = build(anchor_weight=1.0)
    update = next(u for u in updates(task, max_tokens=2000, world=4) if any(s["filler"] for s in u))
    filler = next(sample for sample in update if sample["filler"])
    assert filler["normalizers"]["link_heights"] == (
        max(len(s["links"]["source"]) for s in update if not s["filler"]),
    )
    loss, _, log = criterion(model, filler)
    loss.backward()
    assert loss == 0 and not any(
        log[f"{t}_{x}"] for t in ("contrast", "anchor") for x in ("sum", "count")
    )
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_words_are_compared_in_single_precision_or_more():
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(2, 3, 4, generator=generator).half()]
    links = {"source": [1, 2], "target": [4, 5], "corpus": [0, 0]}
    links = {name: torch.tensor(value) for name, value in links.items()}
    links.update(source_key=links["source"], target_key=links["target"])
    words = linked_pairs(states, links, False, torch.Tensor.float)
    assert words.sources.dtype == torch.float32
    assert torch.equal(words.targets, states[0][1, 1:].float())
    assert words.keys.tolist() == [[1, 4, 1], [2, 5, 1]]
    assert len(linked_pairs(states, links, True, torch.Tensor.float).keys) == 0


def test_validation_is_among_the_batch_and_per_corpus(build, link_folder):
    task, model, criterion, _ = build()
    criterion.eval()
    task.load_dataset("valid")
    data = task.datasets["valid"]
    plan = task.get_batch_iterator(data, max_tokens=900, seed=1).frozen_batches
    logs = [criterion(model, data.collater([data[i] for i in batch]))[2] for batch in plan]
    linked = next(corpus.links for corpus in data.corpora if corpus.name == "de-en")
    assert sum(log["contrast_count/de-en"] for log in logs) == linked.counts.sum() > 0
    assert sum(log["contrast_sum/de-en"] for log in logs) > 0
