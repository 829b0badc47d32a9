"""The gold answers to questions: what is scored, by which rules, and what guessing scores."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from fairseq_amber.data.finetuning.question_answering import AnswerGold, check_languages
from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.metrics.answers import Span


def test_mlqa_scores_its_own_languages():
    check_languages("squad", ["sw"], "--languages")
    check_languages("mlqa", ["ar", "zh"], "--languages")
    with pytest.raises(UserError, match="no rules for sw, fr; .*: leave sw, fr out by --x, or"):
        check_languages("mlqa", ["sw", "de", "fr"], "--x")


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


def test_mlqa_has_no_rules_for_other_languages(folder):
    task = folder("mlqa", ([[5, 6]], [(0, [5], (0, 0))]), language="sw")
    with pytest.raises(UserError, match="no rules for sw; it scores ar, de, en, es, hi, vi, zh"):
        AnswerGold(task, "test", "sw")


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
