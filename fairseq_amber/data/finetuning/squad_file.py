"""Reading questions, their contexts and their answers from SQuAD's JSON format.

SQuAD, XQuAD, MLQA and TyDiQA-GoldP share it: ``{"data": [{"paragraphs": [{"context", "qas": [{"id",
"question", "answers": [{"text", "answer_start"}]}]}]}]}``. ``answer_start`` counts the characters
(code points) of the context.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import combining, normalize

from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import read_bytes

_MOST_MISFITS = 5  # the number of questions that an error lists


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
        content: the content of the file, without the questions that were left out.
        misfits: the number of questions that were left out.
        recoded: the number of answers that are composed of other characters than in their context.
        impossible: the number of questions that SQuAD 2.0 marks as without an answer.
    """

    contexts: list[str]
    questions: list[Question]
    content: bytes
    misfits: int
    recoded: int
    impossible: int


def read_squad(path: str | Path, *, unique_ids: bool = True) -> SquadFile:
    """Reads all questions of a file; see ``parse_squad``.

    Raises:
        UserError: the file cannot be read, or its content is wrong.
    """
    return parse_squad(read_bytes(Path(path)), str(path), unique_ids=unique_ids)


def parse_squad(
    content: bytes, name: str, *, unique_ids: bool = True, skip_misfits: bool = False
) -> SquadFile:
    """Reads all questions of a file's content.

    An answer without text counts as no answer, because XTREME's test files hold their answers back
    in this way. An answer may differ from its context by being composed or decomposed (Unicode's
    NFC and NFD); then it is taken as the context has it. An id may be a whole number.

    Args:
        content: the content of the file.
        name: the file's name, for errors.
        unique_ids: whether every question must have an id of its own. Test files need that, but
            most ids in XTREME's training files of TyDiQA repeat.
        skip_misfits: whether to leave out the questions with an answer that the context does not
            have at its ``answer_start``.

    Raises:
        UserError: the content is not JSON of this form (the message names the line or the
            paragraph), a context or a question is empty, an id occurs twice, or contexts do not
            have an answer at its ``answer_start``.
    """
    contexts: dict[str, int] = {}
    questions: list[Question] = []
    misfits: list[str] = []
    recoded = impossible = 0
    ids: set[str] = set()
    loaded = _load(content, name)
    for a, article in enumerate(_get(loaded, "data", list, name), 1):
        paragraphs = _get(article, "paragraphs", list, f"{name}: article {a}")
        for p, paragraph in enumerate(paragraphs, 1):
            location = f"{name}: article {a}, paragraph {p}"
            context = _text(paragraph, "context", location)
            index = contexts.setdefault(context, len(contexts))
            kept = []
            for q, entry in enumerate(_get(paragraph, "qas", list, location), 1):
                identity = _identity(entry, f"{location}, question {q}")
                text, given = _question(entry, f"{name}: question {identity!r}")
                answers = [_placed(answer, context) for answer in given]
                wrong = next((g for g, answer in zip(given, answers) if answer is None), None)
                if wrong is not None:
                    misfits.append(f"question {identity!r}: {_misfit(wrong, context)}")
                    continue
                if unique_ids and identity in ids:
                    raise UserError(
                        f"{location}: the question id {identity!r} is there twice; remove one "
                        "of the questions (it may be in two files that are joined)"
                    )
                ids.add(identity)
                kept.append(entry)
                fitting = tuple(answer for answer in answers if answer is not None)
                recoded += sum(answer not in given for answer in fitting)
                impossible += not fitting and entry.get("is_impossible") is True
                questions.append(Question(identity, text, index, fitting))
            paragraph["qas"] = kept
    if misfits and not skip_misfits:
        more = len(misfits) - _MOST_MISFITS
        listed = [*misfits[:_MOST_MISFITS], *([f"{more:,} further questions"] * (more > 0))]
        raise UserError(
            f"{name}: {'; '.join(listed)}; mend answer_start, which counts characters (code "
            "points) from 0, or leave the questions out by --skip-misfits"
        )
    if not questions:
        without = " whose answers are in their context" if misfits else ""
        raise UserError(f"{name} has no questions{without}; give a file in SQuAD's format")
    if misfits:
        content = json.dumps(loaded).encode("ascii")
    return SquadFile(list(contexts), questions, content, len(misfits), recoded, impossible)


def _question(entry: Any, location: str) -> tuple[str, list[Answer]]:
    """Returns the text of a question, and its answers as they are given."""
    answers = []
    for answer in _get(entry, "answers", list, location) if "answers" in entry else []:
        text = _get(answer, "text", str, location)
        start = _get(answer, "answer_start", int, location)
        if text:
            answers.append(Answer(text, start))
    return _text(entry, "question", location), answers


def _placed(answer: Answer, context: str) -> Answer | None:
    """Returns an answer as its context has it; None if it is not there."""
    text, start = answer
    if start < 0:
        return None
    if context.startswith(text, start):
        return answer
    wanted = normalize("NFC", text)
    longest = start + len(normalize("NFD", text))
    for end in range(start + 1, min(longest, len(context)) + 1):
        is_whole = not combining(context[end : end + 1] or " ")
        if is_whole and normalize("NFC", context[start:end]) == wanted:
            return Answer(context[start:end], start)
    return None


def _misfit(answer: Answer, context: str) -> str:
    """Says what is wrong with an answer that is not in its context."""
    text, start = answer
    once = f"; it is at {context.index(text)}" if context.count(text) == 1 else ""
    return (
        f"the answer {_shorten(text)!r} is not in its context at character {start}, "
        f"{_shorten(context[max(start, 0) :])!r} is{once}"
    )


def _identity(entry: Any, location: str) -> str:
    """Returns the id of a question, which GermanQuAD has as a whole number."""
    identity = entry.get("id") if isinstance(entry, dict) else None
    if isinstance(identity, int) and not isinstance(identity, bool):
        return str(identity)
    return _text(entry, "id", location)


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
    except ValueError:
        raise UserError(f"{name}: a number with too many digits; mend it") from None
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
