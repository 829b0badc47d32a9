"""What counts in scores and baselines, and the files of predictions."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.classification import ClassificationGold
from fairseq_amber.data.finetuning.question_answering import AnswerGold
from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.data.finetuning.tagging import TaggingGold
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.inference.prediction.submission import submission_path, write_predictions
from fairseq_amber.metrics.answers import Span


@pytest.fixture
def folder(tmp_path, write_task):
    def build(task, examples, labels=(), language="de"):
        path = write_task(tmp_path / task, task, {("test", language): examples}, labels)
        return TaskFolder.open(path)

    return build


def sentence(*labels):
    return [([5], label, 0) for label in labels]


def test_sentences_with_a_blank_word_are_not_scored(folder):
    gold = [sentence(1, 0, 1), sentence(-1, -1), sentence(0, -1), sentence(0)]
    tagging = TaggingGold(folder("pos", gold, ["ADJ", "NOUN"]), "test", "de")
    assert (tagging.total, tagging.scored) == (4, 2)
    predicted = [["NOUN", "NOUN", "NOUN"], ["ADJ", "ADJ"], ["ADJ", "ADJ"], ["ADJ"]]
    assert tagging.score(predicted)["accuracy"] == 75
    # All words NOUN: 2 of 4 right, but no chunk; all ADJ: one chunk of 4 is right, of 2 given.
    assert tagging.baseline() == {"f1": pytest.approx(100 / 3), "accuracy": 50}


def test_pairs_without_a_label_are_not_scored(folder):
    pairs = [([5], [6], label) for label in (0, 2, 2, -1)]
    xnli = ClassificationGold(folder("xnli", pairs, ["a", "b", "c"]), "test", "de")
    assert (xnli.total, xnli.scored) == (4, 3)
    assert xnli.score(["a", "b", "c", "c"])["accuracy"] == pytest.approx(200 / 3)
    assert xnli.baseline()["accuracy"] == pytest.approx(200 / 3)


def test_gold_spans_are_exact_matches_and_blank_questions_are_not_scored(folder):
    contexts = [list(range(4, 30)), [40, 41, 42]]
    questions = [(0, [5], (3, 6)), (0, [6], (-1, -1)), (1, [7], (2, 2)), (0, [8], (0, 25))]
    squad = AnswerGold(folder("squad", (contexts, questions)), "test", "de")
    assert (squad.total, squad.scored) == (4, 3)
    gold = [[Span(*tokens, 0.0)] for tokens in ((3, 6), (1, 1), (2, 2), (0, 25))]
    assert squad.score(gold) == {"f1": 100, "em": 100}
    texts = squad.for_submission(gold)
    assert (texts["q0"], texts["q1"], texts["q2"]) == ("w3 w4 w5 w6", "w1", "w38")
    assert squad.score([[Span(0, 0, 0.0)]] * 4)["em"] == 0
    assert squad.baseline() == squad.baseline()


def test_the_digest_is_of_the_gold_that_is_scored(folder):
    def of_labels(*labels):
        pairs = [([5], [6], label) for label in labels]
        return ClassificationGold(folder("xnli", pairs, ["a", "b"]), "test", "de").digest()

    def of_words(*sentences):
        gold = [sentence(*labels) for labels in sentences]
        return TaggingGold(folder("pos", gold, ["ADJ", "NOUN"]), "test", "de").digest()

    def of_answer(*tokens):
        question = (0, [5], tokens)
        return AnswerGold(folder("squad", ([[5, 6, 7]], [question])), "test", "de").digest()

    assert of_labels(0, 1, -1) == of_labels(0, -1, 1) != of_labels(1, 0)
    assert of_words((0, 1), (1,)) == of_words((0, 1), (-1,), (1,)) != of_words((0,), (1, 1))
    assert of_answer(0, 1) == of_answer(0, 1) != of_answer(1, 1)


def test_mlqa_has_no_rules_for_other_languages(folder):
    task = folder("mlqa", ([[5, 6]], [(0, [5], (0, 0))]), language="sw")
    with pytest.raises(UserError, match="no rules for sw; it scores ar, de, en, es, hi, vi, zh"):
        AnswerGold(task, "test", "sw")


@pytest.mark.parametrize(
    ("task", "split", "path"),
    [
        ("pos", "test", "udpos/test-de.tsv"),
        ("ner", "valid", "panx/dev-de.tsv"),
        ("pawsx", "test", "pawsx/test-de.tsv"),
        ("squad", "test", "xquad/test-de.json"),
        ("tydiqa", "test", "tydiqa/test-de.json"),
    ],
)
def test_names_of_xtreme(task, split, path):
    assert (
        submission_path("out", task, split, "de", by_id=path.endswith("json")).as_posix()
        == f"out/{path}"
    )


def test_files_of_predictions(tmp_path):
    write_predictions(tmp_path / "tags", [["DET", "NOUN"], ["VERB"]])
    assert (tmp_path / "tags").read_text() == "DET\nNOUN\n\nVERB\n"
    write_predictions(tmp_path / "labels", ["neutral", "entailment"])
    assert (tmp_path / "labels").read_text() == "neutral\nentailment\n"
    write_predictions(tmp_path / "answers", {"q": "北京"})
    text = (tmp_path / "answers").read_bytes().decode("ascii")
    assert json.loads(text) == {"q": "北京"}


def test_random_spans_lie_in_their_contexts(folder):
    contexts = [[4 + i] * length for i, length in enumerate((1, 2, 50))]
    questions = [(i, [5], (0, 0)) for i in range(3)] * 20
    squad = AnswerGold(folder("squad", (contexts, questions)), "test", "de")
    scores = squad.baseline()
    assert 100 / 3 <= scores["em"] < 100  # of the context of one word every guess is right
    assert np.isfinite(scores["f1"])


XQUAD = Path(os.environ.get("AMBER_DATA", ""), "qa", "xquad")


@pytest.mark.skipif("AMBER_DATA" not in os.environ, reason="AMBER_DATA names no data folder")
def test_spans_of_real_gold_give_its_text(tmp_path, fairseq_amber_command):
    sentencepiece = pytest.importorskip("sentencepiece")
    flags, contexts = [], []
    for path in sorted(XQUAD.glob("xquad.*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        content["data"] = content["data"][:6]
        some = tmp_path / path.name
        some.write_text(json.dumps(content), encoding="utf-8")
        flags += ["--test", f"{path.suffixes[0][1:]}={some}"]
        contexts += [p["context"] for a in content["data"] for p in a["paragraphs"]]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(contexts),
        model_prefix=str(tmp_path / "spm"),
        vocab_size=3000,
        character_coverage=0.9995,
        num_threads=1,
        minloglevel=2,
    )
    arguments = [
        "squad",
        tmp_path / "squad",
        "--tokenizer",
        tmp_path / "spm.model",
        *flags,
        "--workers",
        1,
    ]
    status, _, error = fairseq_amber_command("prepare-task", *arguments)
    assert status == 0, error

    folder = TaskFolder.open(tmp_path / "squad")
    assert folder.languages("test") == ["ar", "de", "en", "es", "hi", "ro", "ru", "tr", "zh"]
    for language in folder.languages("test"):
        test = AnswerGold(folder, "test", language)
        arrays = folder.arrays("test", language)
        gold = [[Span(*map(int, tokens), 0.0)] for tokens in arrays["answer_tokens"]]
        texts = test.for_submission(gold)
        starts = np.cumsum([0, *arrays["context_lengths"]])
        questions = read_squad(folder.examples_path("test", language)).questions
        exact = 0
        for question, (span,) in zip(questions, gold):
            text, start = question.answers[0]
            offsets = arrays["context_offsets"][starts[question.context] :]
            if (offsets[span.first, 0], offsets[span.last, 1]) == (start, start + len(text)):
                assert texts[question.id] == text
                exact += 1
        assert exact > 0.95 * len(gold), language
        assert test.score(gold)["em"] >= 100 * exact / len(gold)
