"""The raw files of toy tasks, and what tests of a prepared folder compare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TRAIN = "Der\tDET\nHund\tNOUN\nschläft\tVERB\n\nHunde\tNOUN\n☃\tX\n"


TEST = "狗\n睡\n\u200b\n觉\n\nDer\nHund\n"


CONTEXT = "Der Hund (Bello) schläft im ﬁnsteren Garten."


def squad(identity: str, *answers: str, context: str = CONTEXT) -> str:
    entries = [{"text": text, "answer_start": context.index(text)} for text in answers]
    question = {"id": identity, "question": "Wo schläft Bello?", "answers": entries}
    content = {"data": [{"paragraphs": [{"context": context, "qas": [question]}]}]}
    return json.dumps({"version": "1.1", **content}, ensure_ascii=False)


FILES = {
    "train.tsv": TRAIN,
    "test.tsv": TEST,
    "more.tsv": "Garten\n",
    "pairs.tsv": 'Der Hund\tEin ""Hund""\t1\n"Der ""Hund"""\tschläft\t0\n',
    "blank.tsv": "Der Hund\tEin Hund\n",
    "nli.tsv": "Der Hund\tEin Hund\tneutral\n",
    "one.json": squad("1", "Bello", "Hund"),
    "two.json": squad("2", "ﬁnsteren", context="Im ﬁnsteren Garten") + "\n",
    "none.json": squad("3"),
}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fairseq_ids(folder: Path, text: str) -> list[int]:
    from fairseq.data import Dictionary

    from fairseq_amber.inference.tokenizer import Tokenizer

    dictionary = Dictionary.load(str(folder / "dict.txt"))
    return Tokenizer.load(folder, dictionary).encode([text])[0].tolist()


def rows(tokens: np.ndarray, lengths: np.ndarray) -> list[list[int]]:
    assert tokens.dtype == lengths.dtype == np.int32 and lengths.sum() == len(tokens)
    return [row.tolist() for row in np.split(tokens, np.cumsum(lengths)[:-1])]


def write(tmp_path: Path, text: str | bytes, name: str = "x.tsv") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path
