"""Files of questions as public datasets have them."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import pytest

from fairseq_amber.data.finetuning.squad_file import read_squad
from fairseq_amber.errors import UserError
from fairseq_amber.metrics.question_answering import squad_scores
from fairseq_amber.preparation.task.examples import ReadingOptions
from fairseq_amber.preparation.task.question_answering import Questions
from raw_task_files import squad

CONTEXT = "Der Junge war mutig . Das Telefon klingelt ."


def write(tmp_path: Path, *questions: dict, context: str = CONTEXT) -> Path:
    path = tmp_path / "x.json"
    content = {"data": [{"title": "t", "paragraphs": [{"context": context, "qas": questions}]}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def question(identity, *answers: tuple[str, int], **more) -> dict:
    entries = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": identity, "question": "Wer war mutig ?", "answers": entries, **more}


@pytest.mark.parametrize("form, other", [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_answer_in_another_form_of_unicode(form, other, tmp_path, caplog):
    """Vietnamese text has composed and decomposed characters, one in the context and the other in
    the answer (undertheseanlp/underthesea#382). The answer is what the context has there, so that a
    model that finds it is right."""
    context = unicodedata.normalize(form, "Ông Nguyễn Huệ là một vị vua .")
    answer = unicodedata.normalize(other, "Nguyễn Huệ")
    start = context.index("N")
    path = write(tmp_path, question("1", (answer, start)), context=context)
    file = read_squad(path)
    (found,) = file.questions[0].answers
    assert found.text == unicodedata.normalize(form, answer) != answer
    assert context[found.start : found.start + len(found.text)] == found.text
    assert squad_scores(found.text, [found.text]).em == 1
    Questions([path], "train")
    assert "x.json: 1 answers are composed of other characters than in their context" in caplog.text


def test_ids_that_are_numbers(tmp_path):
    """GermanQuAD's ids are whole numbers (its loader: int32); the JSON of a submission has text."""
    path = write(tmp_path, question(51870, ("Der Junge", 0)), question(7, ("Das Telefon", 22)))
    assert [q.id for q in read_squad(path).questions] == ["51870", "7"]
    same = write(tmp_path, question(7, ("Der Junge", 0)), question("7", ("Der Junge", 0)))
    with pytest.raises(UserError, match="the question id '7' is there twice"):
        read_squad(same)


def test_answers_that_do_not_fit(tmp_path, caplog):
    """Translated training files have answers that are elsewhere or nowhere (MLQA's translate-train,
    facebookresearch/MLQA#16): all are named, and can be left out. None is moved to where it is."""
    path = write(
        tmp_path,
        question("0", ("Der Junge", 0)),
        question("1", ("Der Junge", -1)),
        question("2", ("Den Jungen", 0)),
        question("3", ("Das Telefon", 22), ("Telefon", 0)),
        question("4", ("Das Telefon", 22)),
    )
    with pytest.raises(UserError) as error:
        Questions([path], "train")
    message = str(error.value)
    assert "'1': the answer 'Der Junge' is not in its context at character -1" in message
    assert "; it is at 0; question '2'" in message and "; question '3'" in message
    assert "question '0'" not in message and "question '4'" not in message
    assert "--skip-misfits" in message and "\n" not in message

    examples = Questions.read([path], "train", ReadingOptions("squad", skip_misfits=True))
    assert examples.number == 2
    assert "3 questions are left out, because an answer is not in the context" in caplog.text
    (tmp_path / "train.de.json").write_bytes(examples.text)
    kept = read_squad(tmp_path / "train.de.json")  # as evaluate and fairseq-train read it
    assert [q.id for q in kept.questions] == ["0", "4"]
    both = Questions.read([path, path], "train", ReadingOptions("squad", skip_misfits=True))
    assert both.number == 4


def test_questions_without_an_answer(tmp_path, caplog):
    """SQuAD 2.0 has questions that cannot be answered (huggingface/transformers#154): they were
    taken without a word, and nothing was learnt from them."""
    rows = [question(str(i), is_impossible=True) for i in range(2)]
    Questions(
        [write(tmp_path, question("a", ("Der Junge", 0), is_impossible=False), *rows)], "test"
    )
    expected = "2 of 3 questions have no answer (2 by SQuAD 2.0's is_impossible): they are neither"
    assert expected in caplog.text
    caplog.clear()
    Questions([write(tmp_path, question("a", ("Der Junge", 0)), question("b"))], "train")
    assert "1 of 2 questions have no answer: they are neither trained on nor scored" in caplog.text
    caplog.clear()
    Questions([write(tmp_path, question("a", ("", 0)), question("b"))], "test")  # as in XTREME
    assert not caplog.text


def test_compressed_questions(tmp_path):
    text = squad("1", "Bello").encode()
    path = tmp_path / "one.json.gz"
    path.write_bytes(gzip.compress(text))
    assert Questions([path], "test").text == text
