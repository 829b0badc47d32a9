"""Checks all text of a preparation before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.files.compressed import plain_name
from fairseq_amber.files.text import TextFile, check_file, warn_of_text
from fairseq_amber.preparation.corpus.raw_files import Corpus, check_alignment
from fairseq_amber.preparation.workers import WorkerPool
from fairseq_amber.progress import Progress


def check_texts(corpora: Sequence[Corpus], workers: int) -> dict[Path, TextFile]:
    """Reads every file once, the largest first, so that all workers end at about the same time.

    It warns of what is odd of a text, such as numbers before its lines.

    Args:
        corpora: the corpora.
        workers: number of processes.

    Returns:
        The files of all corpora, by path.

    Raises:
        UserError: a file cannot be read, is no text or holds nothing visible, or aligned files have
            other numbers of lines.
    """
    paths = {path for corpus in corpora for files in corpus.sources for path in files}
    try:
        ordered = sorted(paths, key=lambda path: (-path.stat().st_size, path))
        sizes = [path.stat().st_size for path in ordered]
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None
    with WorkerPool(min(workers, len(ordered))) as pool:
        with Progress(
            total=len(ordered), unit="files", what="checking", work=sum(sizes), leave=True
        ) as bar:
            texts = {}
            calls = ((path,) for path in ordered)
            for text, size in zip(pool.map(check_file, calls, waiting=bar.tick), sizes):
                texts[text.path] = text
                bar.update(work=size)
    check_alignment(corpora, texts)
    for text in texts.values():
        if not text.visible:
            raise UserError(
                f"{text.path} holds nothing that can be seen in its {text.lines:,} lines, only "
                "white space and characters without width; add text, or leave the file out"
            )
        warn_of_text(text)
    return texts


def training_texts(
    corpora: Sequence[Corpus], texts: dict[Path, TextFile]
) -> dict[str, list[TextFile]]:
    """Returns the training files of each language, from which a vocabulary is learnt."""
    paths: dict[str, dict[Path, None]] = {}
    for corpus in corpora:
        if corpus.split == "train":
            for files in corpus.sources:
                for language, path in zip(corpus.languages, files):
                    paths.setdefault(language, {})[path] = None
    # The order decides the sample, which compressing a file must not change.
    return {
        language: [texts[path] for path in sorted(found, key=lambda path: plain_name(path.name))]
        for language, found in paths.items()
    }
