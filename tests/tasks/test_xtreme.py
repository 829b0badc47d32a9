"""The tasks of fine-tuning: their batches, their scores, and what is refused."""

import json
import re

import numpy as np
import pytest
import torch
from fairseq import metrics

from fairseq_amber.metrics.answers import best_answers
from fairseq_amber.metrics.question_answering import squad_scores
from fairseq_amber.metrics.tagging import count_tags, tag_scores

KINDS = ["tagging", "classification", "qa"]


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def plan_of(task, split="train", **settings):
    if split not in task.datasets:
        task.load_dataset(split)
    settings = {"max_sentences": 8, "seed": 1, **settings}
    return task.get_batch_iterator(task.datasets[split], **settings).frozen_batches


def indices_of(batches):
    return [batch.indices.tolist() for batch in batches]


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_has_every_example_once_in_an_order_of_its_own(make_fine_tuning, kind):
    task, *_ = make_fine_tuning(kind)
    first, second = (indices_of(plan_of(task, epoch=epoch)) for epoch in (1, 2))
    count = len(task.datasets["train"])
    for batches in (first, second):
        assert sorted(i for batch in batches for i in batch) == list(range(count))
    assert first != second and sorted(map(sorted, first)) != sorted(map(sorted, second))
    assert first == indices_of(plan_of(task, epoch=1))
    assert first != indices_of(plan_of(task, epoch=1, seed=2))
    sizes = task.datasets["train"].sizes
    spread = [np.ptp(sizes[batch]) for batch in first]
    assert np.mean(spread) < np.ptp(sizes) / 4


def test_more_ranks_run_the_same_updates_and_fillers_do_not_count(make_fine_tuning):
    limits = {"max_sentences": None, "max_tokens": 150}
    task, *_ = make_fine_tuning("tagging", update_freq=[6])
    alone = plan_of(task, **limits)
    task, *_ = make_fine_tuning("tagging", update_freq=[2])
    ranks = plan_of(task, num_shards=3, **limits)
    assert len(ranks) % 3 == 0 and any(batch.filler for batch in ranks)
    assert indices_of(batch for batch in ranks if not batch.filler) == indices_of(alone)
    data = task.datasets["train"]
    for batch in ranks:
        sample = data.collater([data[item] for item in batch])
        assert sample["filler"] is batch.filler


def test_max_tokens_holds_with_padding(make_fine_tuning):
    task, *_ = make_fine_tuning("tagging", max_length=10)
    task.load_dataset("train")
    data = task.datasets["train"]
    assert max(len(data[i]["rows"]) for i in range(len(data))) > 2
    for batch in plan_of(task, max_sentences=None, max_tokens=100):
        sample = data.collater([data[item] for item in batch])
        assert sample["net_input"]["src_tokens"].numel() <= 100
    with ends_with("--max-tokens 30 is less than the longest example needs, .*--max-length"):
        plan_of(task, max_tokens=30)
    assert len(plan_of(task, "valid", max_tokens=30))  # which has to be run


@pytest.mark.parametrize(
    "kind, split, count",
    [*((kind, "valid", 35) for kind in KINDS), ("qa", "train", 120)],  # fairseq-validate's choice
)
def test_the_scores_are_those_of_the_whole_split(make_fine_tuning, kind, split, count):
    task, model, criterion = make_fine_tuning(kind, valid_languages="en,de")
    criterion.eval()
    batches = plan_of(task, split, max_sentences=4, num_shards=2)
    assert split == "train" or any(batch.filler for batch in batches)
    data = task.datasets[split]
    assert len(data) == count
    logs = []
    for batch in batches:
        sample = data.collater([data[item] for item in batch])
        logs.append(task.valid_step(sample, model, criterion)[2])
    with metrics.aggregate(new_root=True) as found:
        for log in logs:  # one after the other, as fairseq-train does
            task.reduce_metrics([log], criterion)
    with metrics.aggregate(new_root=True) as at_once:
        task.reduce_metrics(logs, criterion)
    found, at_once = found.get_smoothed_values(), at_once.get_smoothed_values()
    for name, value in expected_scores(task, model, data).items():
        assert found[name] == at_once[name] == pytest.approx(value, abs=1e-3)


def expected_scores(task, model, data):
    """Example by example."""
    model.eval()
    predicted, gold = [], []
    for index in range(len(data)):
        sample = data.collater([data[index]])
        scores = model(**sample["net_input"])[0]
        if task.kind.name != "qa":
            predicted.append([task.folder.labels[i] for i in scores.argmax(1).tolist()])
            gold.append([task.folder.labels[i] for i in sample["target"].tolist()])
            continue
        ((span, *_),) = best_answers(scores, sample["windows"])
        language, number = data.locate(index)
        text = json.loads(task.folder.examples_path(data.split, language).read_text())
        paragraph = text["data"][0]["paragraphs"][number]
        words = paragraph["context"].split()[span.first : span.last + 1]
        answer = paragraph["qas"][0]["answers"][0]["text"]
        predicted.append(squad_scores(" ".join(words), [answer]))
    if task.kind.name == "qa":
        em, f1 = np.mean(predicted, axis=0) * 100
        return {"em": em, "f1": f1}
    counts = count_tags(predicted, gold)
    assert 0 < counts.correct_words < counts.words
    if task.kind.name == "classification":
        return {"accuracy": 100 * counts.correct_words / counts.words}
    return tag_scores(counts)


@pytest.fixture
def german_questions(make_fine_tuning, write_task, tmp_path):
    """``(task, *contexts)`` -> the validation of a task in de. One question a context, all of one
    id; its answer is the context; the word w10 is the article "der"."""

    def build(task, *contexts):
        questions = [(i, [5], (0, len(context) - 1)) for i, context in enumerate(contexts)]
        folder = write_task(tmp_path / task, task, {("valid", "de"): (contexts, questions)})
        path = folder / "valid.de.json"
        text = path.read_text().replace("w10", "der")
        path.write_text(re.sub('"q[0-9]+"', '"q"', text))
        made = make_fine_tuning("qa", data=str(folder), valid_languages="de")
        made[0].load_dataset("valid")
        return made

    return build


@pytest.mark.parametrize("task, em, f1", [("mlqa", 2, 2), ("squad", 1, 1 + 2 / 3)])
def test_answers_are_scored_by_their_tasks_own_rules(german_questions, task, em, f1):
    task, model, criterion = german_questions(task, [14, 20], [20])
    data = task.datasets["valid"]
    sample = data.collater([data[0], data[1]])
    windows = sample["windows"]
    last = [c + length - 1 for c, length in zip(windows["column"], windows["length"])]
    scores = torch.zeros(2, sample["net_input"]["src_tokens"].size(1), 2)
    scores[[0, 1], last] = 9  # the answer is the last word
    criterion.scores = lambda *arguments: scores
    log = task.valid_step(sample, model, criterion)[2]
    assert (log["_em_sum"], log["_f1_sum"], log["_questions"]) == pytest.approx((em, f1, 2))


def test_languages_that_mlqa_cannot_score(make_fine_tuning, write_task, tmp_path):
    splits = {(split, "sw"): ([[5, 6]], [(0, [7], (0, 0))]) for split in ("train", "valid")}
    folder = str(write_task(tmp_path / "mlqa", "mlqa", splits))
    languages = dict(train_languages="sw", valid_languages="sw")
    task, _, criterion = make_fine_tuning("qa", data=folder, **languages)
    task.load_dataset("train")
    with ends_with("no rules for sw; it scores ar, .*: leave sw out by --valid-languages"):
        task.load_dataset("valid")
    criterion.eval()
    with ends_with("no rules for sw; it scores ar, .*: leave sw out by --train-languages"):
        task.load_dataset("train")


def test_a_sentence_with_an_unlabelled_word_is_not_scored(make_fine_tuning, write_task, tmp_path):
    sentences = [[([4], 1, 0), ([5], -1, 0)], [([6, 7], 0, 0)]]
    splits = {("train", "en"): sentences, ("valid", "en"): sentences}
    folder = write_task(tmp_path / "task", "pos", splits, ["A", "B"])
    task, model, criterion = make_fine_tuning("tagging", data=str(folder))
    task.load_dataset("valid")
    data = task.datasets["valid"]
    sample = data.collater([data[0], data[1]])
    loss, sample_size, log = task.valid_step(sample, model, criterion)
    assert sample_size == 2 and log["_words"] == 1


def test_segments_are_for_models_that_have_them(make_fine_tuning):
    for types, setting, expected in ((0, "auto", False), (2, "auto", True), (2, "none", False)):
        shape = {"token_types": types}
        task, model, _ = make_fine_tuning("qa", model=shape, pair_segments=setting)
        task.load_dataset("train")
        data = task.datasets["train"]
        net_input = data.collater([data[0]])["net_input"]
        assert ("segments" in net_input) is expected and "positions" not in net_input
        model(**net_input)
    task, *_ = make_fine_tuning("classification", pair_positions="xlm")
    task.load_dataset("train")
    data = task.datasets["train"]
    assert "positions" in data.collater([data[0]])["net_input"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_of_a_frozen_encoder_is_a_probe(make_fine_tuning, kind):
    task, model, criterion = make_fine_tuning(kind, model={"freeze_encoder": True})
    task.load_dataset("train")
    data = task.datasets["train"]
    loss, *_ = criterion(model, data.collater([data[i] for i in range(4)]))
    loss.backward()
    learnt = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert learnt == {n for n, _ in model.named_parameters() if n.startswith(f"heads.{kind}.")}


def test_rows_are_no_longer_than_the_model_takes(make_fine_tuning, caplog, capsys):
    task, *_ = make_fine_tuning("tagging", max_length=128, model={"max_positions": 12})
    assert task.max_positions() == 12
    warned = caplog.text + capsys.readouterr().err
    assert "rows have 12 tokens at most, as the model has no more positions" in warned
    task.load_dataset("train")
    assert max(len(row) for row in task.datasets["train"][0]["rows"]) <= 12


def test_validation_that_is_not_wanted_needs_no_data(make_fine_tuning):
    task, *_ = make_fine_tuning("qa", valid_languages="xx", disable_validation=True)
    task.load_dataset("train")
    task.load_dataset("valid")
    assert list(task.datasets) == ["train"]


@pytest.mark.parametrize(
    "settings, split, message",
    [
        (dict(train_languages="en,fr"), "train", "--train-languages en,fr: .* in fr .it has en"),
        (dict(valid_languages="fr"), "valid", "--valid-languages fr: .*it has de, en.*--disable"),
        (dict(valid_languages=" , "), "valid", "--valid-languages .* names no language"),
        (dict(train_languages="en, en"), "train", "--train-languages en, en: en twice"),
        (dict(train_languages="de"), "train", "no train examples in de .*prepare-task"),
        (dict(max_length=7), "train", "rows of 7 tokens .*4 subwords .--max-query-length"),
        (dict(doc_stride=0), "train", "--doc-stride 0 is not 1 or more"),
    ],
)
def test_settings_that_leave_no_examples(make_fine_tuning, settings, split, message):
    task, *_ = make_fine_tuning("qa", **settings)
    with ends_with(message):
        task.load_dataset(split)


@pytest.mark.parametrize("kind, metric", [("tagging", "f1"), ("qa", "em"), ("qa", "loss")])
def test_the_worst_checkpoint_is_not_the_best(make_fine_tuning, kind, metric):
    """f1 without --maximize-best-checkpoint-metric kept the worst checkpoint as the best."""
    right = {"best_checkpoint_metric": metric, "maximize_best_checkpoint_metric": metric != "loss"}
    wrong = {**right, "maximize_best_checkpoint_metric": metric == "loss"}
    make_fine_tuning(kind, **right)
    with ends_with(f"--best-checkpoint-metric {metric} is .* the worst is kept as the best"):
        make_fine_tuning(kind, **wrong)
    make_fine_tuning(kind, **wrong, disable_validation=True)


def test_a_folder_of_another_kind_or_none(make_fine_tuning, toy_tasks, tmp_path):
    with ends_with("holds squad: give --task xtreme_qa and --criterion xtreme_qa"):
        make_fine_tuning("tagging", data=str(toy_tasks["qa"]))
    with ends_with("is not a prepared task .*prepare-task"):
        make_fine_tuning("tagging", data=str(tmp_path))
    with ends_with("--criterion xtreme_tagging does not go with .*: give --criterion xtreme_qa"):
        make_fine_tuning("qa", criterion="xtreme_tagging")
    task, *_ = make_fine_tuning("qa", update_freq=[0])
    with ends_with("--update-freq 0 is not 1 or more"):
        plan_of(task)
