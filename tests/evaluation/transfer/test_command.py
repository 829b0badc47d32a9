"""`fairseq-amber evaluate` from a checkpoint and a prepared task to scores and predictions."""

import json
import random

import numpy as np
import pytest
import torch

from fairseq_amber.files.outcomes import read_outcomes
from fairseq_amber.metrics.question_answering import squad_scores
from fairseq_amber.tokenizers.dictionary import fingerprint

LABELS = {
    "pos": ["ADJ", "NOUN", "VERB", "X"],
    "ner": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    "xnli": ["contradiction", "entailment", "neutral"],
    "squad": [],
    "mlqa": [],
}
KINDS = {"pos": "tagging", "ner": "tagging", "xnli": "classification"}
TRAINING = {"max_length": 24, "doc_stride": 5, "max_query_length": 4, "train_languages": "en"}


def subwords(rng, low, high):
    return [rng.randrange(4, 44) for _ in range(rng.randrange(low, high + 1))]


def examples(task, language, count=9, blank=False):
    rng = random.Random(f"{task} {language}")
    if task in ("pos", "ner"):
        return [
            [
                (subwords(rng, 1, 3), -1 if blank else rng.randrange(len(LABELS[task])), 0)
                for _ in range(rng.choice((1, 4, 30)))
            ]
            for _ in range(count)
        ]
    if task == "xnli":
        return [
            (subwords(rng, 1, 20), subwords(rng, 1, 20), -1 if blank else rng.randrange(3))
            for _ in range(count)
        ]
    contexts = [subwords(rng, 1, 60) for _ in range(count)]
    answers = [sorted(rng.choices(range(len(context)), k=2)) for context in contexts]
    return contexts, [
        (number, subwords(rng, 1, 7), (-1, -1) if blank else answer)
        for number, answer in enumerate(answers)
    ]


@pytest.fixture
def prepared(tmp_path, write_task):
    """Writes a task with the test split alone: de and en with gold, tr without."""

    def build(task, **overrides):
        splits = {
            ("test", language): examples(task, language, blank=language == "tr")
            for language in ("de", "en", "tr")
            if not (task == "mlqa" and language == "tr")
        }
        splits.update(overrides.pop("splits", {}))
        return write_task(tmp_path / task, task, splits, overrides.get("labels", LABELS[task]))

    return build


@pytest.fixture
def fine_tuned(tmp_path, make_model, dictionary, shape):
    """Writes a checkpoint with a random head, as training on a task writes it.

    changes: of what the task keeps; training: its settings; overrides: of the model's shape.
    """

    def build(task, seed=0, changes=(), training=TRAINING, **overrides):
        model = make_model(seed, **overrides)
        kind = KINDS.get(task, "qa")
        model.add_head(kind, len(LABELS[task]) or 2)
        with torch.no_grad():
            for parameter in model.heads.parameters():
                parameter.normal_(std=2)
        state = {"dictionary": fingerprint(dictionary), "task": task, "kind": kind}
        path = tmp_path / f"{task}.{seed}.pt"
        torch.save(
            {
                "args": None,
                "cfg": {
                    "model": {"_name": "amber", **shape, **overrides},
                    "task": {"data": "where/it/was/trained", **training},
                },
                "model": model.state_dict(),
                "optimizer_history": [{"num_updates": 7}],
                "task_state": {**state, "labels": LABELS[task], **dict(changes)},
            },
            path,
        )
        return path

    return build


@pytest.fixture
def evaluate(fairseq_amber_command):
    def run(*arguments):
        status, output, error = fairseq_amber_command("evaluate", *arguments, "--device", "cpu")
        assert status == 0, error
        return output

    return run


def read_tags(path):
    """As XTREME's evaluate.py reads them."""
    sentences, sentence = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            sentence.append(line.strip())
        else:
            sentences.append(sentence)
            sentence = []
    return sentences + ([sentence] if sentence else [])


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
@pytest.mark.parametrize("task", ["pos", "ner"])
def test_tagging(task, prepared, fine_tuned, evaluate, tmp_path):
    metrics = pytest.importorskip("seqeval.metrics")
    folder, checkpoint = prepared(task), fine_tuned(task)
    out, predictions = tmp_path / "out.json", tmp_path / "predictions"
    printed = evaluate(checkpoint, folder, "--json", out, "--predictions", predictions)

    result = json.loads(out.read_text())
    assert (result["task"], result["metric"], result["n"]) == (task, "F1", 18)
    assert list(result["per_language"]) == ["de", "en"]
    for language in ("de", "en"):
        gold = [[LABELS[task][label] for _, label, _ in s] for s in examples(task, language)]
        name = {"pos": "udpos", "ner": "panx"}[task]
        found = read_tags(predictions / name / f"test-{language}.tsv")
        parts = result["per_language"][language]
        assert parts["score"] == parts["f1"] == pytest.approx(100 * metrics.f1_score(gold, found))
        assert parts["accuracy"] == pytest.approx(100 * metrics.accuracy_score(gold, found))
        flat = [label for sentence in gold for label in sentence]
        most = max(flat.count(label) for label in LABELS[task])
        assert parts["baseline_accuracy"] == pytest.approx(100 * most / len(flat))
        assert parts["n"] == 9
    blank = read_tags(predictions / name / "test-tr.tsv")
    assert [len(s) for s in blank] == [len(s) for s in examples(task, "tr", blank=True)]
    assert "no gold in tr: not scored" in printed
    assert ("XTREME's POS score is the F1" in printed) == (task == "pos")
    config = result["config"]
    assert config["checkpoint"] == str(checkpoint)
    assert (config["max_length"], config["split"], config["updates"]) == (24, "test", 7)
    assert config["fine_tuned_on"] == f"{task} en"


def test_it_says_how_far_it_is(prepared, fine_tuned, fairseq_amber_command, progress_of):
    flags = ["--device", "cpu", "--batch-tokens", 100]
    _, out, err = fairseq_amber_command("evaluate", fine_tuned("xnli"), prepared("xnli"), *flags)
    assert progress_of(err) == {
        f"predicting {language}": "9 of 9 examples" for language in ("de", "en", "tr")
    }
    assert "fairseq-amber:" not in out


def test_classification(prepared, fine_tuned, evaluate, tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    folder, checkpoint = prepared("xnli"), fine_tuned("xnli")
    out, predictions = tmp_path / "out.json", tmp_path / "predictions"
    printed = evaluate(checkpoint, folder, "--json", out, "--predictions", predictions)

    result = json.loads(out.read_text())
    assert (result["task"], result["metric"]) == ("xnli", "accuracy")
    for language in ("de", "en"):
        gold = [LABELS["xnli"][label] for _, _, label in examples("xnli", language)]
        found = (predictions / "xnli" / f"test-{language}.tsv").read_text().splitlines()
        parts = result["per_language"][language]
        assert parts["score"] == pytest.approx(100 * metrics.accuracy_score(gold, found))
        most = max(gold.count(label) for label in LABELS["xnli"])
        assert parts["baseline_accuracy"] == pytest.approx(100 * most / len(gold))
    assert result["score"] == pytest.approx(
        np.mean([parts["score"] for parts in result["per_language"].values()])
    )
    assert {"pair_positions", "pair_segments"} <= result["config"].keys()
    assert [line.split()[0] for line in printed.splitlines()[:4]] == [
        "language",
        "de",
        "en",
        "mean",
    ]


def test_question_answering(prepared, fine_tuned, evaluate, tmp_path):
    folder, checkpoint = prepared("squad"), fine_tuned("squad")
    out, predictions = tmp_path / "out.json", tmp_path / "predictions"
    evaluate(checkpoint, folder, "--json", out, "--predictions", predictions)

    result = json.loads(out.read_text())
    assert (result["task"], result["metric"]) == ("xquad", "F1")
    for language in ("de", "en"):
        found = json.loads((predictions / "xquad" / f"test-{language}.json").read_text())
        scores = []
        for article in json.loads((folder / f"test.{language}.json").read_text())["data"]:
            for paragraph in article["paragraphs"]:
                (question,) = paragraph["qas"]
                assert found[question["id"]] in paragraph["context"]
                answers = [answer["text"] for answer in question["answers"]]
                scores.append(squad_scores(found[question["id"]], answers))
        em, f1 = (100 * np.mean(column) for column in zip(*scores))
        parts = result["per_language"][language]
        assert (parts["em"], parts["score"]) == pytest.approx((em, f1))
        assert 0 < parts["baseline_f1"] < 100
    assert len(json.loads((predictions / "xquad" / "test-tr.json").read_text())) == 9
    config = result["config"]
    assert [config[key] for key in ("max_length", "doc_stride", "max_query_length")] == [24, 5, 4]
    assert config["max_answer_tokens"] == 30


@pytest.mark.parametrize("task", ["ner", "xnli", "squad"])
def test_outcomes_add_up_to_the_score(task, prepared, fine_tuned, evaluate, tmp_path):
    evaluate(fine_tuned(task), prepared(task), "--json", tmp_path / "out.json")
    result = json.loads((tmp_path / "out.json").read_text())
    items = read_outcomes(tmp_path / "out.items.npz")
    assert items.keys() == result["per_language"].keys()
    for language, parts in result["per_language"].items():
        right, of = items[language]["score"].T
        assert len(right) == parts["n"]
        assert parts["score"] == pytest.approx(100 * right.sum() / of.sum(), abs=1e-4)
        assert len(parts["test_digest"]) == 16


def test_the_best_answers_to_each_question(prepared, fine_tuned, evaluate, tmp_path):
    evaluate(
        *(fine_tuned("squad"), prepared("squad"), "--languages", "de"),
        *("--predictions", tmp_path, "--n-best", "3"),
    )
    best = json.loads((tmp_path / "xquad" / "test-de.json").read_text())
    several = json.loads((tmp_path / "xquad" / "nbest-test-de.json").read_text())
    assert best == {question: answers[0]["text"] for question, answers in several.items()}
    scores = [[answer["score"] for answer in answers] for answers in several.values()]
    assert all(part == sorted(part, reverse=True) for part in scores)
    assert max(map(len, scores)) == 3


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
@pytest.mark.parametrize("positions", ["continuous", "reset"])
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
        if positions == "reset":
            layout["positions"] = torch.tensor([[*range(first), *range(second)]])
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


def test_ids_that_repeat_are_scored_question_by_question(prepared, fine_tuned, evaluate, tmp_path):
    folder, checkpoint = prepared("squad"), fine_tuned("squad")
    flags = ("--languages", "de", "--json", tmp_path / "out.json")
    evaluate(checkpoint, folder, *flags)
    before = json.loads((tmp_path / "out.json").read_text())["per_language"]["de"]
    path = folder / "test.de.json"
    path.write_text(path.read_text().replace('"q1"', '"q0"').replace('"q2"', '"q0"'))
    printed = evaluate(checkpoint, folder, *flags, "--predictions", tmp_path)
    after = json.loads((tmp_path / "out.json").read_text())["per_language"]["de"]
    assert before.pop("test_digest") != after.pop("test_digest")  # of the ids, too
    assert after == before
    assert "de: 2 questions have the id of another" in printed


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
    flags = ["--max-length", 1000, "--doc-stride", 9, "--pair-positions", "reset", "--name", "A"]
    evaluate(checkpoint, folder, *flags, "--languages", "en", "--json", out)
    result = json.loads(out.read_text())
    assert list(result["per_language"]) == ["en"]
    assert result["system"] == "A"
    config = result["config"]
    assert (config["max_length"], config["doc_stride"]) == (64, 9)  # the model has 64 positions
    assert config["pair_positions"] == "reset"


def test_mlqa_has_its_own_rules(prepared, fine_tuned, evaluate, tmp_path):
    out = tmp_path / "out.json"
    evaluate(fine_tuned("mlqa"), prepared("mlqa"), "--json", out)
    assert json.loads(out.read_text())["task"] == "mlqa"


def test_a_report_of_several_seeds(prepared, fine_tuned, evaluate, fairseq_amber_command, tmp_path):
    folder = prepared("pos")
    files = []
    for seed in (0, 1):
        files.append(tmp_path / f"{seed}.json")
        evaluate(fine_tuned("pos", seed), folder, "--name", "A", "--json", files[-1])
    status, output, error = fairseq_amber_command("report", *files, "--output", tmp_path / "report")
    assert status == 0, error
    assert "pos: F1 %" in output and "pos: accuracy %" in output
    assert output.count("±") == 6  # de, en and their mean; F1 and accuracy


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


def test_no_gold_at_all(prepared, fine_tuned, fairseq_amber_command, evaluate, tmp_path):
    json_path = tmp_path / "out.json"
    arguments = [fine_tuned("xnli"), prepared("xnli"), "--languages", "tr"]
    for flags in ([], ["--json", json_path]):
        status, _, error = fairseq_amber_command("evaluate", *arguments, *flags)
        assert status == 2 and "nothing to score" in error and "--predictions" in error
        printed = evaluate(*arguments, *flags, "--predictions", tmp_path / "out")
        assert "note: no gold in tr: not scored" in printed
        assert (f"nothing to score: {json_path} is not written" in printed) == bool(flags)
        path = tmp_path / "out" / "xnli" / "test-tr.tsv"
        assert len(path.read_text().splitlines()) == 9
        path.unlink()
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split", "valid"], "has no valid; add it with fairseq-amber prepare-task ner"),
        (["--languages", "de,fr"], "has no test in 'fr'; it has de, en, tr"),
        (["--fp16", "--device", "cpu"], "--fp16 needs a GPU"),
        (["--doc-stride", "9"], "--doc-stride means nothing to ner"),
        (["--n-best", "2"], "--n-best N is for question answering"),
        (["--max-length", "2"], "rows of 2 tokens are too short"),
    ],
)
def test_flags_that_do_not_fit(flags, message, prepared, fine_tuned, fairseq_amber_command):
    arguments = ["evaluate", fine_tuned("ner"), prepared("ner"), *flags]
    status, _, error = fairseq_amber_command(*arguments)
    assert status == 2 and message in error


def test_scores_that_are_not_finite(prepared, fine_tuned, fairseq_amber_command):
    checkpoint = fine_tuned("xnli")
    state = torch.load(checkpoint)
    state["model"]["heads.classification.out_proj.weight"][0, 0] = float("nan")
    torch.save(state, checkpoint)
    status, _, error = fairseq_amber_command("evaluate", checkpoint, prepared("xnli"))
    assert status == 2 and "NaN" in error
