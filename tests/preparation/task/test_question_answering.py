"""Questions: from the raw file to the arrays."""

from __future__ import annotations

from pathlib import Path

from fairseq_amber.data.finetuning.question_answering import AnswerGold
from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.metrics.answers import Span
from raw_task_files import FILES, fairseq_ids, rows, squad


def test_question_answering(prepare):
    flags = "--train en=one.json --train en=two.json --test de=two.json --test fr=none.json"
    status, out, _ = prepare("squad", *flags.split())
    assert status == 0
    folder = TaskFolder.open("out")
    assert folder.labels == [] and not Path("out/labels.txt").exists()
    assert folder.examples_path("test", "de").read_text(encoding="utf-8") == FILES["two.json"]
    joined = read_squad(folder.examples_path("train", "en"))
    assert [question.id for question in joined.questions] == ["1", "2"]

    arrays = folder.arrays("train", "en")
    contexts = rows(arrays["context_tokens"], arrays["context_lengths"])
    assert contexts == [fairseq_ids(Path("out"), context) for context in joined.contexts]
    questions = rows(arrays["question_tokens"], arrays["question_lengths"])
    assert questions == [fairseq_ids(Path("out"), "Wo schläft Bello?")] * 2
    assert arrays["paragraph"].tolist() == [0, 1]
    starts = [0, len(contexts[0])]
    for start, question, (first, last) in zip(starts, joined.questions, arrays["answer_tokens"]):
        begin = arrays["context_offsets"][start + first, 0]
        end = arrays["context_offsets"][start + last, 1]
        assert question.answers[0].text in joined.contexts[question.context][begin:end].strip("()")
    assert folder.arrays("test", "fr")["answer_tokens"].tolist() == [[-1, -1]]
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["questions", "contexts", "subwords", "unknown", "answers", "exact"]
    assert lines[1][:4] == ["train", "en", "2", "2"] and lines[1][-2] == "2"
    assert lines[3][-2:] == ["0", "0"]


def test_ids_that_repeat(prepare):
    """As TyDiQA's training files have them, whose text is also validated on."""
    flags = "--train en=one.json --train en=again.json --valid en=one.json --valid en=again.json"
    Path("again.json").write_text(squad("1", "Garten"), encoding="utf-8")
    assert prepare("tydiqa", *flags.split())[0] == 0
    folder = TaskFolder.open("out")
    answers = folder.arrays("valid", "en")["answer_tokens"].tolist()
    assert answers[0] != answers[1]
    questions = AnswerGold(folder, "valid", "en")
    gold = [[Span(first, last, 0.0)] for first, last in answers]
    assert questions.score(gold) == {"f1": 100, "em": 100}
    assert questions.score(gold[::-1]) == {"f1": 0, "em": 0}
    status, _, error = prepare("tydiqa", *"--test en=one.json --test en=again.json".split())
    assert status == 2 and "the question id '1' is there twice" in error
