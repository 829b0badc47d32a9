"""The registry of the kinds of fine-tuning tasks. To add a kind, touch three files:

1. Here: register its name, its tasks, the arrays of its examples, and the classes of 2 and 3.
2. ``data/finetuning/<kind>.py``: a ``TaskDataset`` (rows and batches; its ``head`` names one of
   ``models.heads.HEADS``, where a head of a new shape is a fourth file), a ``Gold`` (scores) and
   a ``Learning`` (loss, predictions).
3. ``preparation/task/<kind>.py``: an ``Examples``, which reads the raw files into the arrays.

The fairseq task and criterion ``xtreme_<kind>``, ``prepare-task`` and ``evaluate`` are set up from
this registration. This module imports nothing heavy, because the command line lists the tasks in
its help.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """One kind of fine-tuning task.

    Attributes:
        name: the kind's name, which the names of the fairseq task and criterion end with.
        tasks: the names of XTREME's tasks of this kind.
        raw_form: what a raw file looks like, for the help text of ``prepare-task``.
        arrays: the names of the arrays that hold the examples; the module of ``learning``
            describes them.
        learning: ``module:class`` of its ``Learning``.
        examples: ``module:class`` of its ``Examples``.
        optional_arrays: the names of further arrays, which folders of older versions lack.
        counted: the name of an array with one entry for each example; "" to leave it unchecked.
        subwords: the names of those of the arrays that hold ids of subwords.
    """

    name: str
    tasks: tuple[str, ...]
    raw_form: str
    arrays: tuple[str, ...]
    learning: str
    examples: str
    optional_arrays: tuple[str, ...] = ()
    counted: str = ""
    subwords: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {}  # by name


def register_kind(kind: Kind) -> None:
    """Adds a kind to ``KINDS``.

    Raises:
        ValueError: the kind or one of its tasks is registered already.
    """
    if kind.name in KINDS or set(kind.tasks) & set(task_names()):
        raise ValueError(f"the kind {kind.name} or one of its tasks is registered already")
    KINDS[kind.name] = kind


def task_names() -> list[str]:
    """Returns the names of the tasks of all kinds."""
    return [task for kind in KINDS.values() for task in kind.tasks]


def kind_of(task: str) -> Kind:
    """Returns the kind of a task.

    Raises:
        KeyError: no kind has such a task.
    """
    for kind in KINDS.values():
        if task in kind.tasks:
            return kind
    raise KeyError(task)


def load_class(class_path: str) -> Any:
    """Imports the class that ``module:class`` names."""
    module, name = class_path.split(":")
    return getattr(import_module(module), name)


register_kind(
    Kind(
        name="tagging",
        tasks=("pos", "ner"),
        raw_form="word<TAB>label, an empty line between sentences (UD's parts of speech, PAN-X)",
        arrays=("tokens", "word_lengths", "word_heads", "sentence_lengths", "labels"),
        learning="fairseq_amber.data.finetuning.tagging:Tagging",
        examples="fairseq_amber.preparation.task.tagging:TaggedSentences",
        optional_arrays=("gaps",),
        counted="sentence_lengths",
        subwords=("tokens",),
    )
)
register_kind(
    Kind(
        name="classification",
        tasks=("xnli", "pawsx"),
        raw_form=(
            "sentence<TAB>sentence<TAB>label, as they are or as Python's csv writer quotes them"
        ),
        arrays=("first_tokens", "first_lengths", "second_tokens", "second_lengths", "labels"),
        learning="fairseq_amber.data.finetuning.classification:Classification",
        examples="fairseq_amber.preparation.task.classification:SentencePairs",
        counted="labels",
        subwords=("first_tokens", "second_tokens"),
    )
)
register_kind(
    Kind(
        name="qa",
        tasks=("squad", "mlqa", "tydiqa"),
        raw_form="SQuAD's JSON (version 1.1); squad is for XQuAD, too",
        arrays=(
            "context_tokens",
            "context_lengths",
            "context_offsets",
            "question_tokens",
            "question_lengths",
            "paragraph",
            "answer_tokens",
        ),
        learning="fairseq_amber.data.finetuning.question_answering:QuestionAnswering",
        examples="fairseq_amber.preparation.task.question_answering:Questions",
        counted="paragraph",
        subwords=("context_tokens", "question_tokens"),
    )
)
