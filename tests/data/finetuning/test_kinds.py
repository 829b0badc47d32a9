"""The registry: every entry names what is there, and no name is taken twice."""

import pytest

from fairseq_amber.data.finetuning.gold import Gold
from fairseq_amber.data.finetuning.kinds import (
    KINDS,
    kind_of,
    load_class,
    register_kind,
    task_names,
)
from fairseq_amber.data.finetuning.learning import Learning, learning_of
from fairseq_amber.models.heads import HEADS
from fairseq_amber.preparation.task.examples import Examples, examples_class


def test_the_promised_kinds_and_tasks():
    assert list(KINDS) == ["tagging", "classification", "qa"]
    assert task_names() == ["pos", "ner", "xnli", "pawsx", "squad", "mlqa", "tydiqa"]
    assert kind_of("ner") is KINDS["tagging"]
    with pytest.raises(KeyError):
        kind_of("chess")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_entry_names_classes_of_its_own(kind):
    learning = learning_of(kind)
    assert isinstance(learning, Learning) and issubclass(learning.gold, Gold)
    assert learning.dataset.head in HEADS
    for task in kind.tasks:
        assert issubclass(examples_class(task), Examples)
        assert len(examples_class(task).xtreme_files[task]) == 3
    assert set(learning.gold.logged) <= set(
        learning.gold.scores(*[1] * len(learning.gold.sum_names))
    )
    assert set(learning.gold.headings) <= set(learning.gold.logged)
    lengths = {name.replace("lengths", "tokens") for name in kind.arrays if "lengths" in name}
    assert set(kind.subwords) == (lengths & {*kind.arrays} or {"tokens"})


def test_a_name_is_taken_once():
    for change in ({"tasks": ("chess",)}, {"name": "games"}):
        with pytest.raises(ValueError, match="registered already"):
            register_kind(KINDS["qa"]._replace(**change))
    assert list(KINDS) == ["tagging", "classification", "qa"]


def test_a_class_by_its_place():
    assert load_class("fairseq_amber.data.finetuning.gold:Gold") is Gold
