"""Makes a task folder: reads and checks raw files, numbers the labels, encodes and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, NamedTuple, Sequence

from fairseq_amber.data.finetuning.task_folder import LABELS_NAME, TaskFolder
from fairseq_amber.errors import UserError
from fairseq_amber.preparation.corpus.vocabulary import Vocabulary, read_vocabulary
from fairseq_amber.preparation.task.encoder import TextEncoder, start_worker
from fairseq_amber.preparation.task.examples import Examples, ReadingOptions, examples_class
from fairseq_amber.preparation.task.labels import check_labels, ordered, read_labels
from fairseq_amber.preparation.task.output import check_same, existing_folder, task_writer
from fairseq_amber.preparation.task.sources import Sources
from fairseq_amber.preparation.task.summary import Counts, count
from fairseq_amber.preparation.workers import WorkerPool, available_cores
from fairseq_amber.progress import Progress, print_status

ExamplesBySplit = Dict[str, Dict[str, Examples]]  # by split and language


class TaskPreparation(NamedTuple):
    """The outcome of ``prepare_task``.

    Attributes:
        task: the task's name.
        counts: the counts of what this run wrote, by split and language.
        vocabulary: the tokenizer with its dictionary.
    """

    task: str
    counts: dict[tuple[str, str], Counts]
    vocabulary: Vocabulary


def prepare_task(
    task: str,
    out: Path,
    *,
    tokenizer: Path,
    sources: Sources,
    labels: Path | None = None,
    columns: Sequence[int] | None = None,
    skip_misfits: bool = False,
    workers: int | None = None,
) -> TaskPreparation:
    """Writes a task folder, or adds splits and languages to one, in place of those that it has.

    Args:
        task: the task's name; one of ``kinds.task_names``.
        out: the folder to write.
        tokenizer: a tokenizer or a model; see ``read_vocabulary``.
        sources: see ``collect_sources``.
        labels: a file of labels for tagging; by default the labels of the training files or,
            without such files, of the folder that is added to.
        columns: the columns to read, counted from 1: those of word and label, or those of both
            sentences and their label; by default those of the usual form.
        skip_misfits: whether questions whose answers are not in their context are left out.
        workers: the number of processes; by default one for each core. It does not change the
            result.

    Raises:
        UserError: the files have a mistake, which is found before anything is written; the folder
            holds another task, tokenizer or labels; or the disk is full.
    """
    old = existing_folder(out, task)
    vocabulary = read_vocabulary(tokenizer)
    examples_type = examples_class(task)
    options = ReadingOptions(task, tuple(columns) if columns else None, skip_misfits)
    _check_options(options, examples_type)
    read: ExamplesBySplit = {}
    with Progress(total=sum(map(len, sources.values())), unit="texts", what="reading") as progress:
        for split, languages in sources.items():
            read[split] = {}
            for language, paths in sorted(languages.items()):
                read[split][language] = examples_type.read(paths, split, options)
                progress.update()
    names, origin = _labels(task, labels, read, old)
    check_labels(names, origin)
    if old:
        check_same(old, names, origin, vocabulary.files)
    for texts in read.values():
        for examples in texts.values():
            examples.settle_labels(names, origin)

    counts = {}
    with task_writer(out) as writer, WorkerPool(
        workers or available_cores(), start_worker, (vocabulary,), finish=True
    ) as pool:
        encoder = TextEncoder(pool, vocabulary)
        for split, texts in read.items():
            for language, examples in texts.items():
                encoder.what = f"encoding {split} {language}"
                print_status(f"{encoder.what} ({examples.number:,})")
                arrays = examples.encode(encoder)
                writer.add(split, language, arrays, examples.number, examples.paths, examples.text)
                counts[split, language] = count(examples, arrays, names)
        writer.finish(task, names, vocabulary.files, old)
    return TaskPreparation(task, counts, vocabulary)


def _check_options(options: ReadingOptions, examples_type: type[Examples]) -> None:
    for name, value in options._asdict().items():
        if name != "task" and value and name not in examples_type.options:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} means nothing to {options.task}; leave it out")


def _labels(
    task: str, path: Path | None, read: ExamplesBySplit, old: TaskFolder | None
) -> tuple[list[str], str]:
    """Returns the labels in the order of their numbers, and where they come from."""
    fixed = examples_class(task).fixed_labels(task)
    if fixed is not None:
        if path is not None:
            raise UserError(f"--labels is for tagging alone; {task} has its own labels")
        return fixed, f"the task {task}"
    if path is not None:
        return read_labels(path), str(path)
    if "train" in read:
        training = read["train"].values()
        names = [file.name for examples in training for file in examples.paths]
        every = {label for examples in training for label in examples.labels}
        return ordered(every), f"the training text ({', '.join(names)})"
    if old is not None:
        return old.labels, str(old.path / LABELS_NAME)
    raise UserError(
        "the labels come from the training text; add it with --train en=FILE, or name a file "
        "with one label per line by --labels"
    )
