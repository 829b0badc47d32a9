"""Prepared tasks with a few examples to test on."""

import pytest

from checkpoint_fixtures import fairseq_amber_command  # noqa: F401
from fairseq_amber.data.finetuning.task_folder import TaskFolder


@pytest.fixture
def folder(tmp_path, write_task):
    def build(task, examples, labels=(), language="de"):
        path = write_task(tmp_path / task, task, {("test", language): examples}, labels)
        return TaskFolder.open(path)

    return build
