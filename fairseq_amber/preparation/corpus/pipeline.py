"""Turns raw text into a data folder.

All text is checked first. Then the vocabulary is learnt or taken, and every corpus that is not
finished yet is binarised.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from fairseq_amber.data import kept_words
from fairseq_amber.data.kept_words import KeptWordWriter
from fairseq_amber.data.token_file import SUFFIXES, DatasetWriter
from fairseq_amber.errors import UserError
from fairseq_amber.files.compressed import plain_name
from fairseq_amber.files.digest import file_digest
from fairseq_amber.files.text import TextFile
from fairseq_amber.preparation.corpus.binarize import Counts, binarize
from fairseq_amber.preparation.corpus.checked_text import check_texts, training_texts
from fairseq_amber.preparation.corpus.data_folder import DataFolder, open_data_folder
from fairseq_amber.preparation.corpus.encode import start_encoder
from fairseq_amber.preparation.corpus.manifest import Manifest, read_manifest
from fairseq_amber.preparation.corpus.raw_files import Corpus, find_corpora
from fairseq_amber.preparation.corpus.settings import FilterSettings, VocabularySettings
from fairseq_amber.preparation.corpus.vocabulary import (
    Vocabulary,
    learn_model,
    load_vocabulary,
    read_vocabulary,
)
from fairseq_amber.preparation.workers import WorkerPool, available_cores, call_in_process
from fairseq_amber.progress import Progress, print_status
from fairseq_amber.tokenizers.subwords import DICTIONARY_NAME, TokenizerFiles
from fairseq_amber.tokenizers.word_splitters import check_splitter


class Preparation(NamedTuple):
    """The outcome of ``prepare``.

    Attributes:
        corpora: the counts of each corpus, by name.
        vocabulary: the vocabulary of the folder.
        sentences: number of sentences that this run encoded, where a pair has two.
        seconds: time that the encoding took, without the checks and the vocabulary.
    """

    corpora: dict[str, Counts]
    vocabulary: Vocabulary
    sentences: int
    seconds: float


def prepare(
    raw: Path,
    data_bin: Path,
    *,
    vocabulary: VocabularySettings | None = None,
    tokenizer: Path | None = None,
    dictionary: Path | None = None,
    filters: FilterSettings | None = None,
    languages: Sequence[str] | None = None,
    pairs: Sequence[str] | None = None,
    mono_from_parallel: str = "missing",
    word_boundaries: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> Preparation:
    """Binarises all corpora of a folder. It continues where an earlier run stopped.

    Args:
        raw: the folder of raw text, see ``find_corpora``.
        data_bin: the folder to write.
        vocabulary: the settings for learning a vocabulary, unless a tokenizer is given.
        tokenizer: the path of a tokenizer or of a model, see ``read_vocabulary``.
        dictionary: the tokenizer's fairseq dictionary.
        filters: the limits that decide which lines are dropped.
        languages: see ``find_corpora``.
        pairs: see ``find_corpora``.
        mono_from_parallel: see ``find_corpora``.
        word_boundaries: the kind of words to keep beside the tokens, ``spaces`` or ``moses``.
        workers: number of processes, by default one for each core. It changes the speed, but not
            the result.
        overwrite: whether to replace what ``data_bin`` holds, if it was made from other text or
            settings.

    Raises:
        UserError: something is wrong with the text (then nothing is written), the data folder was
            made from other text or settings, or the disk is full.
    """
    vocabulary = vocabulary or VocabularySettings()
    filters = filters or FilterSettings()
    workers = workers or available_cores()
    corpora = find_corpora(raw, languages, pairs, mono_from_parallel)
    if word_boundaries is not None:
        check_splitter(word_boundaries, sorted({x for c in corpora for x in c.languages}))
    given = _read_vocabulary(tokenizer, dictionary)
    read_manifest(data_bin)  # a damaged folder is an error before the text is read
    texts = check_texts(corpora, workers)
    training_text = training_texts(corpora, texts)
    if given is None and not training_text:
        raise UserError(f"{raw} has no training text to learn from; give --tokenizer PATH")

    wanted = Manifest(
        vocabulary={} if given else _learning_record(vocabulary, training_text),
        digests=given.digests() if given else {},
        filters=asdict(filters),
        corpora={corpus.name: {"sources": _digests(corpus, texts)} for corpus in corpora},
        word_boundaries=word_boundaries,
    )
    with open_data_folder(data_bin) as folder:
        manifest = _continued(folder, wanted, overwrite)
        chosen = _saved_vocabulary(folder.path, manifest) if manifest else None
        if manifest is None or chosen is None:
            chosen = given or _learn(training_text, vocabulary)
            manifest = _begin(folder, wanted, chosen)
        sentences, seconds = _binarize_all(
            corpora, texts, folder, manifest, wanted, chosen, filters, workers
        )
    counts = {corpus.name: Counts(**manifest.corpora[corpus.name]["counts"]) for corpus in corpora}
    return Preparation(counts, chosen, sentences, seconds)


def _read_vocabulary(path: Path | None, dictionary: Path | None) -> Vocabulary | None:
    if path is None:
        if dictionary is not None:
            raise UserError("--dict needs the tokenizer it belongs to; add --tokenizer PATH")
        return None
    return read_vocabulary(path, dictionary)


def _learning_record(
    settings: VocabularySettings, training_text: dict[str, list[TextFile]]
) -> dict[str, Any]:
    """Returns what decides a learnt vocabulary: the settings and the digests of the text."""
    text = {
        plain_name(file.path.name): file.digest
        for files in training_text.values()
        for file in files
    }
    return {"settings": asdict(settings), "text": text}


def _digests(corpus: Corpus, texts: dict[Path, TextFile]) -> dict[str, str]:
    return {plain_name(path.name): texts[path].digest for files in corpus.sources for path in files}


def _continued(folder: DataFolder, wanted: Manifest, overwrite: bool) -> Manifest | None:
    """Returns the manifest that this run continues, or None for a fresh start.

    It removes the files that the run is going to overwrite.
    """
    manifest = read_manifest(folder.path)
    if manifest is None:
        return None
    reason = manifest.conflict(wanted)
    if reason is None and manifest.corpora and not _saved_vocabulary(folder.path, manifest):
        reason = f"another {' or '.join(manifest.digests)} than is there now"
    changed = manifest.changed_corpora(wanted)
    if not overwrite and (reason or changed):
        reason = reason or f"other text ({', '.join(changed)} changed)"
        raise UserError(
            f"{folder.path} was prepared with {reason}; use the same again, name another folder, "
            "or replace it with --overwrite"
        )
    if reason:
        folder.discard(manifest)
        return None
    for name in changed:
        del manifest.corpora[name]
    return manifest


def _saved_vocabulary(data_bin: Path, manifest: Manifest) -> Vocabulary | None:
    """Returns the vocabulary of a data folder, or None if it is not the recorded one."""
    try:
        places = {name: data_bin / name for name in manifest.digests}
        if not all(place.is_file() for place in places.values()):  # reading a pipe would not end
            return None
        files = {name: place.read_bytes() for name, place in places.items()}
        dictionary = files.pop(DICTIONARY_NAME)
        vocabulary = load_vocabulary(TokenizerFiles(files, str(data_bin)), dictionary)
    except (OSError, KeyError, UserError):
        return None
    return vocabulary if vocabulary.digests() == manifest.digests else None


def _learn(training_text: dict[str, list[TextFile]], settings: VocabularySettings) -> Vocabulary:
    lines = sum(text.lines for files in training_text.values() for text in files)
    print_status(
        f"learning a vocabulary of {settings.vocab_size:,} pieces from "
        f"{min(lines, settings.vocab_sentences):,} lines in {', '.join(sorted(training_text))}"
    )
    with Progress(what="learning the vocabulary, which cannot be divided") as bar:
        files = call_in_process(learn_model, training_text, settings, waiting=bar.tick)
    vocabulary = load_vocabulary(files)
    if len(vocabulary.ids) < settings.vocab_size:
        print_status(f"the text yields no more than {len(vocabulary.ids):,} pieces")
    return vocabulary


def _begin(folder: DataFolder, wanted: Manifest, vocabulary: Vocabulary) -> Manifest:
    manifest = Manifest(
        wanted.vocabulary,
        vocabulary.digests(),
        wanted.filters,
        word_boundaries=wanted.word_boundaries,
    )
    folder.save(manifest)
    for name, data in vocabulary.files.items():
        folder.put(name, data)
    return manifest


def _binarize_all(
    corpora: Sequence[Corpus],
    texts: dict[Path, TextFile],
    folder: DataFolder,
    manifest: Manifest,
    wanted: Manifest,
    vocabulary: Vocabulary,
    filters: FilterSettings,
    workers: int,
) -> tuple[int, float]:
    """Binarises the corpora that are not finished; returns how many sentences, and the seconds."""
    todo = [corpus for corpus in corpora if not manifest.is_finished(corpus.name, folder.path)]
    if not todo:
        return 0, 0.0
    # training text comes last: it takes longest, and the short texts show early what filters drop
    todo.sort(key=lambda corpus: corpus.split == "train")
    lines = {corpus: sum(texts[files[0]].lines for files in corpus.sources) for corpus in todo}
    start = time.perf_counter()
    with Progress(total=sum(lines.values()), unit="lines", leave=True) as bar, WorkerPool(
        workers, start_encoder, (vocabulary, filters, wanted.word_boundaries)
    ) as pool:
        for corpus in todo:
            bar.describe(corpus.name)
            writers, word_writers, counts = binarize(
                corpus,
                texts,
                pool,
                folder.partial,
                vocabulary.size,
                bar.update,
                wanted.word_boundaries,
            )
            manifest.corpora[corpus.name] = {
                "sources": wanted.corpora[corpus.name]["sources"],
                **_place(corpus, writers, word_writers, folder, vocabulary),
                "counts": asdict(counts),
            }
            folder.save(manifest)
            print_status(f"{corpus.name}: {counts.kept:,} of {counts.lines:,} lines")
    sentences = sum(len(corpus.languages) * lines[corpus] for corpus in todo)
    return sentences, time.perf_counter() - start


def _place(
    corpus: Corpus,
    writers: Sequence[DatasetWriter],
    word_writers: Sequence[KeptWordWriter],
    folder: DataFolder,
    vocabulary: Vocabulary,
) -> dict[str, dict[str, Any]]:
    """Moves finished files to their places; returns their sizes and digests for the manifest."""
    for name in corpus.dictionaries:
        folder.put(name, vocabulary.dictionary)
    names = list(corpus.dictionaries)
    # Words come first: a corpus is there for others once its .idx is.
    suffixes = (kept_words.SUFFIX, *SUFFIXES) if word_writers else SUFFIXES
    for suffix in suffixes:
        for prefix, writer in zip(corpus.prefixes, writers):
            folder.move(Path(f"{writer.prefix}{suffix}"), prefix + suffix)
            names.append(prefix + suffix)
    places = {name: folder.path / name for name in names}
    return {
        "outputs": {name: place.stat().st_size for name, place in places.items()},
        "output_digests": {name: file_digest(place) for name, place in places.items()},
    }
