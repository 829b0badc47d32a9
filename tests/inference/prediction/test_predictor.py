"""Predictions of a fine-tuned checkpoint, as ``fairseq-amber evaluate`` writes them."""

import json

import pytest
import torch

from fine_tuned_checkpoints import LABELS, TRAINING, examples


@pytest.mark.parametrize("task", ["ner", "xnli", "squad"])
def test_what_else_is_in_a_batch_changes_nothing(task, prepared, fine_tuned, evaluate, tmp_path):
    folder, checkpoint = prepared(task), fine_tuned(task)
    for tokens in (1, 100, 8192):
        out = tmp_path / str(tokens)
        evaluate(checkpoint, folder, "--batch-tokens", tokens, "--predictions", out)
    files = sorted(p.relative_to(out) for p in out.rglob("test-*"))
    assert len(files) == 3
    for file in files:
        texts = {(tmp_path / str(tokens) / file).read_text() for tokens in (1, 100, 8192)}
        assert len(texts) == 1


@pytest.mark.parametrize("types", [0, 2])
@pytest.mark.parametrize("positions", ["continuous", "xlm", "restart"])
def test_predictions_are_those_of_the_model_on_each_example(
    types, positions, prepared, fine_tuned, evaluate, tmp_path
):
    from fairseq_amber.inference.checkpoint import load_model

    training = {**TRAINING, "pair_positions": positions}
    pairs = examples("xnli", "de", count=60)
    folder = prepared("xnli", splits={("test", "de"): pairs})
    checkpoint = fine_tuned("xnli", 5, training=training, token_types=types)
    evaluate(checkpoint, folder, "--languages", "de", "--predictions", tmp_path)
    model = load_model(checkpoint, data=folder).model
    found, plain = [], []
    for x, y, _ in pairs:
        while len(x) + len(y) > TRAINING["max_length"] - 3:
            (x if len(x) > len(y) else y).pop()
        row = torch.tensor([[0, *x, 2, *y, 2]])
        first, second = len(x) + 2, len(y) + 1
        layout = {}
        if types:
            layout["segments"] = torch.tensor([[0] * first + [1] * second])
        if positions != "continuous":
            start = positions == "xlm"
            layout["positions"] = torch.tensor([[*range(first), *range(start, start + second)]])
        for labels, parts in ((found, layout), (plain, {})):
            scores, _ = model(row, head="classification", **parts)
            labels.append(LABELS["xnli"][int(scores.argmax())])
    assert (tmp_path / "xnli" / "test-de.tsv").read_text().splitlines() == found
    assert layout == {} or found != plain


def test_settings_that_the_checkpoint_lacks_are_xtremes(prepared, fine_tuned, evaluate, tmp_path):
    defaults = {"max_length": 384, "doc_stride": 128, "max_query_length": 64}
    for task, expected in (("pos", {"max_length": 128}), ("mlqa", defaults)):
        checkpoint = fine_tuned(task, training={}, max_positions=512)
        evaluate(checkpoint, prepared(task), "--json", tmp_path / "out.json")
        config = json.loads((tmp_path / "out.json").read_text())["config"]
        assert {name: config[name] for name in expected} == expected


def test_the_longest_answer(prepared, fine_tuned, evaluate, tmp_path):
    folder, checkpoint = prepared("squad"), fine_tuned("squad")
    longest = {}
    for limit in (1, 2, 30):
        flags = ("--max-answer-tokens", limit, "--predictions", tmp_path)
        evaluate(checkpoint, folder, "--languages", "de", *flags)
        answers = json.loads((tmp_path / "xquad" / "test-de.json").read_text())
        longest[limit] = max(len(answer.split()) for answer in answers.values())
    assert longest[1] == 1 and longest[2] == 2 < longest[30]


def test_labels_are_those_of_the_checkpoint_in_its_order(prepared, fine_tuned, evaluate, tmp_path):
    folder, labels = prepared("xnli"), LABELS["xnli"]
    evaluate(fine_tuned("xnli"), folder, "--predictions", tmp_path / "a")
    moved = fine_tuned("xnli", changes={"labels": labels[1:] + labels[:1]})
    evaluate(moved, folder, "--predictions", tmp_path / "b")
    a, b = ((tmp_path / name / "xnli" / "test-de.tsv").read_text().splitlines() for name in "ab")
    assert b == [labels[(labels.index(label) + 1) % 3] for label in a]


def test_flags_take_the_place_of_the_settings_of_training(prepared, fine_tuned, evaluate, tmp_path):
    folder, checkpoint = prepared("squad"), fine_tuned("squad")
    out = tmp_path / "out.json"
    flags = ["--max-length", 1000, "--doc-stride", 9, "--pair-positions", "xlm", "--name", "A"]
    evaluate(checkpoint, folder, *flags, "--languages", "en", "--json", out)
    result = json.loads(out.read_text())
    assert list(result["per_language"]) == ["en"]
    assert result["system"] == "A"
    config = result["config"]
    assert (config["max_length"], config["doc_stride"]) == (64, 9)  # the model has 64 positions
    assert config["pair_positions"] == "xlm"


@pytest.mark.parametrize(
    ("task", "state", "message"),
    [
        ("ner", {"task": "pos"}, "was fine-tuned for pos but"),
        ("ner", {"labels": ["O", "B-LOC", "I-LOC", "B-PER", "I-ORG"]}, "also has I-PER; prepare"),
        ("ner", {"kind": None}, "has no head; fine-tune it with fairseq-train"),
        ("squad", {"dictionary": "another"}, "is not the dictionary that"),
    ],
)
def test_a_checkpoint_of_something_else(
    task, state, message, prepared, fine_tuned, fairseq_amber_command
):
    checkpoint = fine_tuned(task, changes=state)
    status, output, error = fairseq_amber_command("evaluate", checkpoint, prepared(task))
    assert status == 2
    assert message in error and str(checkpoint) in error
    assert error.count("\n") == 1 and not output


def test_scores_that_are_not_finite(prepared, fine_tuned, fairseq_amber_command):
    checkpoint = fine_tuned("xnli")
    state = torch.load(checkpoint)
    state["model"]["heads.classification.out_proj.weight"][0, 0] = float("nan")
    torch.save(state, checkpoint)
    status, _, error = fairseq_amber_command("evaluate", checkpoint, prepared("xnli"))
    assert status == 2 and "NaN" in error
