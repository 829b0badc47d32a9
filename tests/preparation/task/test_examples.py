"""What the raw files of labelled tasks share: their labels, and how often each occurs."""

import numpy as np
import pytest

from fairseq_amber.errors import UserError
from fairseq_amber.preparation.task.classification import SentencePairs
from fairseq_amber.preparation.task.examples import examples_class
from fairseq_amber.preparation.task.question_answering import Questions
from fairseq_amber.preparation.task.tagging import TaggedSentences
from raw_task_files import write


def test_the_reader_of_each_task():
    tasks = {"ner": TaggedSentences, "pawsx": SentencePairs, "mlqa": Questions}
    assert {task: examples_class(task) for task in tasks} == tasks
    assert examples_class("pos").fixed_labels("pos") is None  # its training files decide
    assert examples_class("xnli").fixed_labels("xnli")[0] == "contradiction"
    assert examples_class("squad").fixed_labels("squad") == []


def test_labels_of_several_files(tmp_path):
    files = [write(tmp_path, "a\tX\n\nb\tO\n", "1.tsv"), write(tmp_path, "c\n", "2.tsv")]
    sentences = TaggedSentences(files, "test")
    assert (sentences.number, sentences.labels) == (3, {"X", "O"})
    with pytest.raises(UserError, match="1.tsv:1: unknown label 'X'; here has O"):
        sentences.settle_labels(["O"], "here")
    arrays = {"labels": np.array([1, 0, -1])}
    assert sentences.occurrences(arrays, ["O", "X"]) == {"O": 1, "X": 1, "blank": 1}
