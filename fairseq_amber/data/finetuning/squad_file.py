"""Reading questions, their contexts and their answers from SQuAD's JSON format.

SQuAD, XQuAD, MLQA and TyDiQA-GoldP share it: ``{"data": [{"paragraphs": [{"context", "qas": [{"id",
"question", "answers": [{"text", "answer_start"}]}]}]}]}``. ``answer_start`` counts the characters
(code points) of the context.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes


class Answer(NamedTuple):
    """A span of a context.

    Attributes:
        text: the span's characters.
        start: the index of its first character in the context.
    """

    text: str
    start: int


class Question(NamedTuple):
    """A question about a context.

    Attributes:
        id: its id in the file.
        text: the question.
        context: the number of the context that holds the answer.
        answers: the right answers; () if the file holds them back.
    """

    id: str
    text: str
    context: int
    answers: tuple[Answer, ...]


class SquadFile(NamedTuple):
    """The content of a file.

    Attributes:
        contexts: the different contexts; several paragraphs may have the same.
        questions: the questions in the file's order.
    """

    contexts: list[str]
    questions: list[Question]


def read_squad(path: str | Path, *, unique_ids: bool = True) -> SquadFile:
    """Reads all questions of a file; see ``parse_squad``.

    Raises:
        UserError: the file cannot be read, or its content is wrong.
    """
    return parse_squad(read_bytes(Path(path)), str(path), unique_ids=unique_ids)


def parse_squad(content: bytes, name: str, *, unique_ids: bool = True) -> SquadFile:
    """Reads all questions of a file's content.

    An answer without text counts as no answer, because XTREME's test files hold their answers back
    in this way.

    Args:
        content: the content of the file.
        name: the file's name, for errors.
        unique_ids: whether every question must have an id of its own. Test files need that, but
            most ids in XTREME's training files of TyDiQA repeat.

    Raises:
        UserError: the content is not JSON of this form (the message names the line or the
            paragraph), a context or a question is empty, an id occurs twice, or the context does
            not have an answer at its ``answer_start``.
    """
    contexts: dict[str, int] = {}
    questions: list[Question] = []
    ids: set[str] = set()
    for a, article in enumerate(_get(_load(content, name), "data", list, name), 1):
        paragraphs = _get(article, "paragraphs", list, f"{name}: article {a}")
        for p, paragraph in enumerate(paragraphs, 1):
            location = f"{name}: article {a}, paragraph {p}"
            context = _text(paragraph, "context", location)
            index = contexts.setdefault(context, len(contexts))
            for q, entry in enumerate(_get(paragraph, "qas", list, location), 1):
                question = _question(entry, context, index, name, f"{location}, question {q}")
                if unique_ids and question.id in ids:
                    raise UserError(
                        f"{location}: the question id {question.id!r} is there twice; remove one "
                        "of the questions (it may be in two files that are joined)"
                    )
                ids.add(question.id)
                questions.append(question)
    if not questions:
        raise UserError(f"{name} has no questions; give a file in SQuAD's format")
    return SquadFile(list(contexts), questions)


def _question(entry: Any, context: str, index: int, name: str, location: str) -> Question:
    identity = _text(entry, "id", location)
    location = f"{name}: question {identity!r}"
    answers = []
    for answer in _get(entry, "answers", list, location) if "answers" in entry else []:
        text = _get(answer, "text", str, location)
        start = _get(answer, "answer_start", int, location)
        if not text:
            continue
        if start < 0 or not context.startswith(text, start):
            raise UserError(
                f"{location}: the answer {_shorten(text)!r} is not in its context at character "
                f"{start}, {_shorten(context[max(start, 0) :])!r} is; mend answer_start, which "
                "counts characters (code points) from 0, or remove the question"
            )
        answers.append(Answer(text, start))
    return Question(identity, _text(entry, "question", location), index, tuple(answers))


def _load(content: bytes, name: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{name}:{error.lineno}: broken JSON at column {error.colno} ({error.msg}); fetch the "
            "file again, or mend that line"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{name}:{line}: not UTF-8; convert the file with iconv -t UTF-8 -f ITS-ENCODING"
        ) from None
    except RecursionError:
        raise UserError(f"{name}: JSON nested too deep; give a file in SQuAD's format") from None


def _get(entry: Any, key: str, wanted: type, location: str) -> Any:
    """Returns the value of a key; raises UserError unless it has the wanted type."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, wanted) or isinstance(value, bool):
        names = {str: "text", int: "a whole number", list: "a list"}
        raise UserError(
            f"{location}: {key!r} is missing or not {names[wanted]}; give a file in SQuAD's format "
            "(version 1.1)"
        )
    return value


def _text(entry: Any, key: str, location: str) -> str:
    """Returns the text of a key; raises UserError if it has only white space."""
    text = _get(entry, key, str, location)
    if not text.strip():
        raise UserError(f"{location}: its {key} is empty; fill it in, or remove it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{location}: its {key} holds half a surrogate pair; mend it") from None
    return text


def _shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[:most] + "..."
