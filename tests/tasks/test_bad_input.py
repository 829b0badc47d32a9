"""What is wrong with the data or the settings ends in one line before training."""

import numpy as np
import pytest
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from task_batches import is_pair, plan
from toy_corpora import write_binarised

WORD = 4  # id of the first word


def words(*lengths):
    return [np.full(length, WORD) for length in lengths]


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


def test_data_that_is_not_there(make_task, tmp_path):
    with ends_with("data folder .*nowhere does not exist"):
        make_task(data=str(tmp_path / "nowhere"))


def test_a_split_that_no_corpus_has(make_task):
    with ends_with("has no test text for this criterion"):
        make_task().load_dataset("test")


def test_a_criterion_without_a_term(make_task):
    weights = dict(mlm_weight=0, tlm_weight=0, wa_weight=0, sa_weight=0)
    with ends_with("weight"):
        make_task().build_criterion(
            OmegaConf.structured(AmberCriterionConfig(_name="amber", **weights))
        )


def test_no_usable_pair(make_task, folder):
    for side in ("de", "en"):
        write_binarised(folder / f"parallel/de-en/train.de-en.{side}", words(40, 50))
    task = make_task(data=str(folder), pairs="de-en")
    with ends_with("no train example of de-en can be used: all are empty or longer than 64 tokens"):
        plan(task)


def test_no_usable_sentence(make_task, folder):
    write_binarised(folder / "mono/de/train", words(0, 0))
    task = make_task(data=str(folder), languages="de")
    with ends_with("no train example of de can be used"):
        plan(task)


def test_batches_smaller_than_an_example(make_task):
    with ends_with("--max-tokens 60 is less than the longest example needs, .*raise it"):
        plan(make_task(), max_tokens=60, max_positions=60)


@pytest.mark.parametrize("given", [[4], [1, 2], 3])
@pytest.mark.parametrize("size", ["update_tokens", "update_examples"])
def test_the_size_of_an_update_and_its_number_of_steps(make_task, size, given):
    flag = "--" + size.replace("_", "-")
    with ends_with(f"{flag} and --update-freq: the second follows from the first; drop it"):
        plan(make_task(update_freq=given, **{size: 900}))
    for one in ([1], [1, 1], 1):
        plan(make_task(update_freq=one, **{size: 900}))


@pytest.mark.parametrize("size", [{}, {"update_tokens": 900}, {"update_examples": 9}])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_of_examples_that_are_no_numbers(make_task, size, value):
    task = make_task(**size)
    for split, flag in (("train", "--batch-size"), ("valid", "--batch-size-valid")):
        for max_tokens in (None, 900):
            with ends_with(f"{flag} {value} is not 1 or more"):
                plan(task, split, max_tokens=max_tokens, max_sentences=value)
        with ends_with(f"--required-batch-size-multiple {value} is not 1 or more"):
            plan(task, split, required_batch_size_multiple=value)


def test_updates_smaller_than_an_example(make_task):
    task = make_task()
    task.load_dataset("train")
    longest = max(int(source.costs.max()) for source in task.datasets["train"].sources())
    with ends_with(f"--update-tokens {longest - 1} is less than .* needs, {longest} .*: raise it"):
        plan(make_task(update_tokens=longest - 1))
    plan(make_task(update_tokens=longest))


def test_validation_text_never_stops_a_training(make_task, folder):
    """A pair that is longer than any in training, and a corpus of which nothing can be used."""
    for side in ("de", "en"):
        write_binarised(folder / f"parallel/de-en/valid.de-en.{side}", words(25, 2))
        write_binarised(
            folder / f"parallel/tr-en/valid.tr-en.{side if side == 'en' else 'tr'}", words(0)
        )
    task = make_task(data=str(folder))
    task.load_dataset("valid")
    plan(task, max_tokens=120)
    batches = [b.indices.tolist() for b in plan(task, "valid", max_tokens=120)]
    assert [len(b) for b in batches if is_pair(task, b[0], "valid")] == [1, 1]


def test_validation_text_of_which_nothing_can_be_used_shows_before_training(make_task, folder):
    for path in ("mono/de/valid", "parallel/de-en/valid.de-en.de", "parallel/de-en/valid.de-en.en"):
        write_binarised(folder / path, words(0))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    task.load_dataset("valid")
    with ends_with("no valid example of"):
        plan(task)


def test_max_tokens_does_not_cut_sentences(make_task, folder):
    write_binarised(folder / "mono/de/train", words(5, 58))
    for side in ("de", "en"):
        write_binarised(folder / f"parallel/de-en/train.de-en.{side}", words(3, 4))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    with ends_with("--max-tokens 50 is less than the longest example needs, 60"):
        plan(task, max_tokens=50, max_positions=50)  # as fairseq's trainer asks


def test_predicting_tokens_where_none_are_masked(make_task):
    task = make_task(mask_prob=0.0)
    settings = AmberCriterionConfig(_name="amber")
    with ends_with("--mask-prob 0 leaves nothing to predict"):
        task.build_criterion(OmegaConf.structured(settings))
    settings.mlm_weight = settings.tlm_weight = 0.0
    task.build_criterion(OmegaConf.structured(settings))
    task.cfg.whole_word_masking = True
    with ends_with("--whole-word-masking has no effect: no term masks tokens"):
        task.build_criterion(OmegaConf.structured(settings))
