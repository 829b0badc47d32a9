"""`fairseq-amber evaluate` from a checkpoint and a prepared task to scores and predictions."""

import argparse
import json

import numpy as np
import pytest

from fairseq_amber.data.layout import PAIR_POSITIONS
from fairseq_amber.evaluation import evaluate
from fairseq_amber.files.outcomes import read_outcomes
from fairseq_amber.metrics.question_answering import squad_scores
from fine_tuned_checkpoints import LABELS, examples


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


def test_the_positions_to_choose_are_those_of_the_layout():
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    (flag,) = (a for a in parser._actions if a.dest == "pair_positions")
    assert flag.choices == PAIR_POSITIONS
