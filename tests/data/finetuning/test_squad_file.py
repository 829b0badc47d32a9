from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairseq_amber.data.finetuning.squad_file import Answer, Question, parse_squad, read_squad
from fairseq_amber.errors import UserError

CONTEXT = "Zoë 😀 lives in Köln."


def question(identity="q1", text="Where?", answers=(("Köln", 15),)) -> dict:
    entries = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": identity, "question": text, "answers": entries}


def squad(*paragraphs: tuple[str, list[dict]]) -> dict:
    listed = [{"context": context, "qas": questions} for context, questions in paragraphs]
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": listed}]}


def write(tmp_path: Path, content) -> Path:
    path = tmp_path / "x.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def test_questions_in_file_order_and_contexts_once(tmp_path: Path):
    """As XTREME writes its test files: a paragraph for each question, answers blanked."""
    content = squad(
        (CONTEXT, [question()]),
        ("Other.", [question("q2", "What?", [("", 0)])]),
        (CONTEXT, [question("q3", "Who?", [("Zoë", 0), ("Zoë 😀", 0)])]),
    )
    file = read_squad(write(tmp_path, content))
    assert file.contexts == [CONTEXT, "Other."]
    assert file.questions == [
        Question("q1", "Where?", 0, (Answer("Köln", 15),)),
        Question("q2", "What?", 1, ()),
        Question("q3", "Who?", 0, (Answer("Zoë", 0), Answer("Zoë 😀", 0))),
    ]


def test_a_byte_order_mark_and_absent_answers(tmp_path: Path):
    content = squad((CONTEXT, [{"id": "a", "question": "Who?"}]))
    file = read_squad(write(tmp_path, "\ufeff" + json.dumps(content)))
    assert file.questions[0].answers == ()


def test_ids_that_are_the_same(tmp_path: Path):
    path = write(tmp_path, squad((CONTEXT, [question()]), ("Köln is there Köln", [question()])))
    content = json.loads(path.read_text())
    content["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]["answer_start"] = 14
    path = write(tmp_path, content)
    assert len(read_squad(path, unique_ids=False).questions) == 2
    with pytest.raises(UserError, match="x.json: article 1, paragraph 2: the question id 'q1' is"):
        read_squad(path)


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"data": [\n  {"paragraphs": [}\n]}', "x.json:2: broken JSON at column "),
        ("", "x.json:1: broken JSON"),
        ("[" * 100_000, "x.json: JSON nested too deep"),
        ("[" + "1" * 5000 + "]", "x.json: "),
        (squad((CONTEXT, [{**question(), "id": True}])), "'id' is missing or not text"),
        ([], "x.json: 'data' is missing or not a list"),
        ({"data": [{}]}, "x.json: article 1: 'paragraphs' is missing"),
        (squad((" ", [])), "article 1, paragraph 1: its context is empty"),
        (squad(), "x.json has no questions"),
        (squad((CONTEXT, [question(text=" ")])), "x.json: question 'q1': its question is empty"),
        (
            squad((CONTEXT, [{"question": "Who?"}])),
            "paragraph 1, question 1: 'id' is missing or not text",
        ),
        (squad(("a\ud800", [question()])), "its context holds half a surrogate pair"),
        (
            squad((CONTEXT, [question(answers=[("Köln", 16)])])),
            "question 'q1': the answer 'Köln' is not in its context at character 16, 'öln.' is",
        ),
        (squad((CONTEXT, [question(answers=[("Köln", -5)])])), "not in its context"),
        (
            squad((CONTEXT, [question(answers=[("Köln", "15")])])),
            "'answer_start' is missing or not a whole",
        ),
    ],
)
def test_mistakes_are_named(content, message: str, tmp_path: Path):
    with pytest.raises(UserError) as error:
        read_squad(write(tmp_path, content))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UserError, match="cannot read .*none.json: No such file"):
        read_squad(tmp_path / "none.json")
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"data":\n "\xe9"}')
    with pytest.raises(UserError, match="latin.json:2: not UTF-8"):
        read_squad(path)


def test_an_answer_within_a_composed_character(tmp_path: Path):
    """ "e" is no answer where the context has "e" and an accent in place of "é"."""
    context = "Caf\u0065\u0301 ouvert"
    found = read_squad(
        write(tmp_path, squad((context, [question(answers=[("Caf\u00e9", 0)])])))
    ).questions[0]
    assert found.answers == (Answer("Caf\u0065\u0301", 0),)
    wrong = squad((context, [question(answers=[("\u00e9 ouvert", 4)])]))
    with pytest.raises(UserError, match="is not in its context at character 4"):
        read_squad(write(tmp_path, wrong))


def test_many_misfits_are_counted(tmp_path: Path):
    wrong = [question(f"q{i}", answers=[("Berlin", i)]) for i in range(9)]
    path = write(tmp_path, squad((CONTEXT, [question(), *wrong])))
    with pytest.raises(
        UserError, match="'q4': .*; 4 further questions; mend answer_start"
    ) as error:
        read_squad(path)
    assert "'q5'" not in str(error.value)


def test_all_misfits_left_out(tmp_path: Path):
    path = write(tmp_path, squad((CONTEXT, [question(answers=[("Berlin", 0)])])))
    with pytest.raises(UserError, match="no questions whose answers are in their context"):
        parse_squad(path.read_bytes(), "x.json", skip_misfits=True)
