"""Writes the files of a demo corpus, all of them or none."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Iterator

from fairseq_amber.demo_corpus.concepts import HELD_OUT
from fairseq_amber.demo_corpus.corpus import GRAMMAR, DemoCorpus, Settings, draw
from fairseq_amber.demo_corpus.tokens import pharaoh, text
from fairseq_amber.errors import UserError
from fairseq_amber.files.json_file import parse_json, read_bytes
from fairseq_amber.files.locks import is_empty
from fairseq_amber.files.writing import atomic_folder

MANIFEST = "demo-corpus.json"


def write(directory: Path, settings: Settings) -> str:
    """Writes the corpus unless the folder holds it already.

    Returns:
        A line for the user that says what was done.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    identity = json.loads(json.dumps({"grammar": GRAMMAR, "settings": asdict(settings)}))
    if _is_there(directory, identity):
        return f"{directory} holds this demo corpus already; nothing to do"
    with atomic_folder(directory.resolve()) as working:
        corpus = draw(settings)
        digests = {}
        for name, content in _files(corpus, settings):
            data = content.encode()
            (working / name).write_bytes(data)
            digests[name] = _digest(data)
        manifest = {**identity, "files": digests}
        (working / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    counts = ", ".join(f"{len(lines)} {split}" for split, lines in corpus.parallel.items())
    mono = "".join(
        f"; {len(lines)} monolingual {language}"
        for (language, split), lines in corpus.mono.items()
        if split == "train" and language in settings.languages
    )
    return f"wrote {directory}: for each of {', '.join(settings.pairs)} {counts} pairs{mono}"


def _is_there(directory: Path, identity: dict[str, Any]) -> bool:
    """Checks what the folder holds.

    Returns:
        True if it holds this very corpus, False if it is missing or empty.

    Raises:
        UserError: the folder holds anything else.
    """
    try:
        entries = [] if is_empty(directory) else sorted(os.listdir(directory))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"cannot write {directory}: {error.strerror}") from None
    if not entries:
        return False
    remedy = "give another folder, or remove this one"
    if MANIFEST not in entries:
        raise UserError(f"{directory} is not empty (it holds {entries[0]}); {remedy}")
    damaged = f"{directory / MANIFEST} cannot be read; {remedy}"
    manifest = parse_json(read_bytes(directory / MANIFEST), damaged)
    try:
        found = {key: manifest[key] for key in identity}
        differing = [
            f"{key} {found['settings'].get(key)}, not {value}"
            for key, value in identity["settings"].items()
            if found["settings"].get(key) != value
        ]
        if found["grammar"] != identity["grammar"]:
            differing.append(f"grammar version {found['grammar']}, not {identity['grammar']}")
        if differing:
            raise UserError(
                f"{directory} holds a demo corpus with other settings "
                f"({'; '.join(differing)}); {remedy}"
            )
        for name, digest in manifest["files"].items():
            path = directory / name
            if not path.is_file() or _digest(path.read_bytes()) != digest:
                raise UserError(
                    f"{path} is missing or was changed after the corpus was written; {remedy}"
                )
    except (OSError, KeyError, TypeError, AttributeError):
        raise UserError(damaged) from None
    return True


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _files(corpus: DemoCorpus, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields the name and the content of every file but the manifest."""
    for split, lines in corpus.parallel.items():
        texts = {
            language: _lines([text(line[language]) for line in lines])
            for language in settings.languages
        }
        for pair in settings.pairs:
            source, target = pair.split("-")
            yield f"{split}.{pair}.{source}", texts[source]
            yield f"{split}.{pair}.{target}", texts[target]
            if split != "train" or settings.train_gold:
                links = [pharaoh(line[source], line[target]) for line in lines]
                yield f"{split}.{pair}.gold", _lines(links)
    for (language, split), sentences in corpus.mono.items():
        if language in settings.languages:
            yield f"{split}.{language}", _lines(sentences)
    yield "held-out.tsv", _lines([f"{first}\t{noun}" for first, noun in HELD_OUT])
    yield "README.md", _readme(corpus, settings)


def _lines(lines: list[str]) -> str:
    return "".join([line + "\n" for line in lines])


_README = """\
# A synthetic demo corpus

**This text is synthetic.** No person wrote it and no corpus was used: `fairseq-amber demo-corpus`
drew meanings at random and said each in German, English, Russian and Turkish by a small grammar
(version {grammar}, seed {seed}). It shows that training and measuring work. Numbers on it say
nothing about real text.

| files | lines each |
|---|---|
{rows}

Line i of every file of a split has the same meaning, in all pairs. No sentence occurs twice, in
any language, within a split or across the splits and the monolingual text, whose meanings are
others still. Text is tokenised: tokens are separated by single spaces.

`*.gold`: word alignments that follow from the grammar, `i-j` sure and `ipj` possible, counted from
0, i in the first language of the file name. A link is sure where both languages have a word for a
unit of meaning, and possible where one has only an ending, its word order or nothing.

`held-out.tsv`: {held_out} combinations of a verb and its object, or an adjective and its noun, as
concepts. Every test sentence has at least one of them; no other sentence has any. Every word form
of the test split occurs in the parallel training text.
"""


def _readme(corpus: DemoCorpus, settings: Settings) -> str:
    rows = [
        f"| `{split}.<src>-<tgt>.<lang>` for {', '.join(settings.pairs)} | {len(lines)} |"
        for split, lines in corpus.parallel.items()
    ]
    rows += [
        f"| `{split}.{language}` | {len(lines)} |"
        for (language, split), lines in corpus.mono.items()
        if language in settings.languages
    ]
    return _README.format(
        grammar=GRAMMAR, seed=settings.seed, rows="\n".join(rows), held_out=len(HELD_OUT)
    )
