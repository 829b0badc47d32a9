"""What is wrong with the training text is an error or a warning before training begins."""

import logging

import numpy as np
import pytest

from fairseq_amber.data.alignment.needs import Needs
from task_batches import is_pair, plan
from toy_corpora import write_binarised

WORD = 4  # id of the first word


def words(*lengths):
    return [np.full(length, WORD) for length in lengths]


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def test_a_wanted_language_without_training_text(make_task, folder):
    write_binarised(folder / "mono/tr/valid", words(3, 4))
    with ends_with("--languages: .*mono/tr has no train text"):
        make_task(data=str(folder), languages="de,tr").load_dataset("train")


def test_a_language_without_training_text_is_passed_over(make_task, folder, caplog):
    write_binarised(folder / "mono/tr/valid", words(3, 4))
    task = make_task(data=str(folder))
    with caplog.at_level(logging.WARNING):
        task.load_dataset("train")
    assert "mono/tr has no train text: it is left out" in caplog.text


def test_pairs_that_are_needed_and_not_there(make_task, folder):
    with ends_with("parallel has no train text, which every term but MLM needs"):
        make_task(data=str(folder), pairs="").load_dataset("train")


def test_unusable_text_is_left_out_and_counted(make_task, folder, caplog):
    x, y = words(10, 0, 61, 5, 3), words(10, 4, 4, 0, 55)
    for side, sentences in (("de", x), ("en", y)):
        write_binarised(folder / f"parallel/de-en/train.de-en.{side}", sentences)
    write_binarised(folder / "mono/de/train", words(5, 0, 62, 63, 100, 0))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    with caplog.at_level(logging.WARNING):
        batches, _ = (plan(task, epoch=epoch) for epoch in (1, 2))
    drawn = np.concatenate([batch.indices for batch in batches]).tolist()
    pairs = [index for index in drawn if is_pair(task, index)]
    assert sorted(pairs) == [6, 10]  # after the six sentences
    assert len(drawn) == 4 and set(drawn) - set(pairs) <= {0, 2, 3, 4}
    for line in (
        "train de-en: 2 examples left out: empty on a side",
        "train de-en: 1 examples left out: longer than 64 tokens, both sides in one row",
        "train de: 2 examples left out: empty\n",
        "train de: 2 sentences cut to 62 tokens",
    ):
        assert caplog.text.count(line) == 1


def test_no_sentences_for_masking(make_task, folder, caplog):
    with caplog.at_level(logging.WARNING):
        make_task(data=str(folder), languages="").load_dataset("train")
    assert "mono has no text: the MLM term has nothing to learn from" in caplog.text


@pytest.mark.parametrize(
    "rows, segments, longest",
    [("block", False, 62), ("document", False, 62), ("document", True, 61)],
)
def test_lines_that_are_too_long_for_a_row_of_several_are_cut_and_counted(
    make_task, folder, caplog, rows, segments, longest
):
    write_binarised(folder / "mono/de/train", words(5, 61, 0, 62, 63, 100, 0))
    settings = dict(sentence_rows=rows, sentence_segments=segments)
    task = make_task(data=str(folder), languages="de", pairs="", **settings)
    task.needs = Needs(tlm=False, alignment=False)
    with caplog.at_level(logging.WARNING):
        plan(task)
        plan(task, epoch=2)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"train de: {3 if segments else 2} lines cut to {longest} tokens"]


def test_text_of_empty_lines_alone_makes_no_rows(make_task, folder):
    write_binarised(folder / "mono/de/train", words(0, 0))
    task = make_task(data=str(folder), languages="de", sentence_rows="block")
    with ends_with("no train example of de can be used"):
        plan(task)
