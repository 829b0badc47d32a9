"""What is wrong with the data or the settings ends in one line before training, or is counted."""

import argparse
import logging

import numpy as np
import pytest
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig

WORD = 4  # id of the first word


def words(*lengths):
    return [np.full(length, WORD) for length in lengths]


def plan(task, split="train", **settings):
    settings = {"max_tokens": 600, "num_shards": 1, "epoch": 1, **settings}
    if split not in task.datasets:
        task.load_dataset(split)
    return task.get_batch_iterator(task.datasets[split], **settings).frozen_batches


def ends_with(message):
    return pytest.raises(SystemExit, match=f"^fairseq-amber: error: (?!.*\n).*{message}")


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"parallel_share": 0.0}, "--parallel-share 0.0 is not between 0 and 1; to leave one"),
        ({"parallel_share": float("nan")}, "--parallel-share nan is not between"),
        ({"multilang_sampling_alpha": -0.1}, "--multilang-sampling-alpha -0.1 is not between"),
        ({"update_freq": [0]}, "--update-freq 0 is not 1 or more"),
        ({"mask_prob": 1.5}, "--mask-prob 1.5 is not between 0 and 1"),
        ({"random_token_prob": 0.95}, "add up to more than 1"),
        ({"tokens_per_sample": 0}, "--tokens-per-sample 0 is less than 5"),
        ({"tokens_per_sample": -8}, "--tokens-per-sample -8 is less than 5"),
        ({"data": ":"}, "no data folder is given"),
        ({"languages": "de,xx"}, "--languages: unknown language 'xx'; .*mono has de, en"),
        ({"pairs": "en-de"}, r"unknown pair 'en-de' \(the pair is stored as de-en\)"),
    ],
)
def test_a_setting_out_of_range(make_task, setting, message):
    with ends_with(message):
        make_task(**setting).load_dataset("train")


def test_data_that_is_not_there(make_task, tmp_path):
    with ends_with("data folder .*nowhere does not exist"):
        make_task(data=str(tmp_path / "nowhere"))


def test_a_wanted_language_without_training_text(make_task, folder, write):
    write(folder / "mono/tr/valid", words(3, 4))
    with ends_with("--languages: .*mono/tr has no train text"):
        make_task(data=str(folder), languages="de,tr").load_dataset("train")


def test_a_language_without_training_text_is_passed_over(make_task, folder, write, caplog):
    write(folder / "mono/tr/valid", words(3, 4))
    task = make_task(data=str(folder))
    with caplog.at_level(logging.WARNING):
        task.load_dataset("train")
    assert "mono/tr has no train text: it is left out" in caplog.text


def test_pairs_that_are_needed_and_not_there(make_task, folder):
    with ends_with("parallel has no train text, which every term but MLM needs"):
        make_task(data=str(folder), pairs="").load_dataset("train")


def test_a_split_that_no_corpus_has(make_task):
    with ends_with("has no test text for this criterion"):
        make_task().load_dataset("test")


def test_a_criterion_without_a_term(make_task):
    weights = dict(mlm_weight=0, tlm_weight=0, wa_weight=0, sa_weight=0)
    with ends_with("weight"):
        make_task().build_criterion(
            OmegaConf.structured(AmberCriterionConfig(_name="amber", **weights))
        )


def test_unusable_text_is_left_out_and_counted(make_task, folder, write, caplog):
    x, y = words(10, 0, 61, 5, 3), words(10, 4, 4, 0, 55)
    for side, sentences in (("de", x), ("en", y)):
        write(folder / f"parallel/de-en/train.de-en.{side}", sentences)
    write(folder / "mono/de/train", words(5, 0, 62, 63, 100, 0))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    with caplog.at_level(logging.WARNING):
        batches = plan(task)
        plan(task, epoch=2)
    pairs = [b.indices for b in batches if b.parallel]
    sentences = [b.indices for b in batches if not b.parallel]
    assert sorted(np.concatenate(pairs)) == [6, 10]  # after the six sentences
    assert set(np.concatenate(sentences)) <= {0, 2, 3, 4}
    for line in (
        "train de-en: 2 examples left out: empty on a side",
        "train de-en: 1 examples left out: longer than 64 tokens",
        "train de: 2 examples left out: empty\n",
        "train de: 2 sentences cut to 62 tokens",
    ):
        assert caplog.text.count(line) == 1


def test_no_usable_pair(make_task, folder, write):
    for side in ("de", "en"):
        write(folder / f"parallel/de-en/train.de-en.{side}", words(40, 50))
    task = make_task(data=str(folder), pairs="de-en")
    with ends_with("no train example of de-en can be used: all are empty or longer than 64 tokens"):
        plan(task)


def test_no_usable_sentence(make_task, folder, write):
    write(folder / "mono/de/train", words(0, 0))
    task = make_task(data=str(folder), languages="de")
    with ends_with("no train example of de can be used"):
        plan(task)


def test_batches_smaller_than_an_example(make_task):
    with ends_with("--max-tokens 60 is less than the longest example needs, .*raise it"):
        plan(make_task(), max_tokens=60, max_positions=60)


def test_validation_text_never_stops_a_training(make_task, folder, write):
    """A pair that is longer than any in training, and a corpus of which nothing can be used."""
    for side in ("de", "en"):
        write(folder / f"parallel/de-en/valid.de-en.{side}", words(25, 2))
        write(folder / f"parallel/tr-en/valid.tr-en.{side if side == 'en' else 'tr'}", words(0))
    task = make_task(data=str(folder))
    task.load_dataset("valid")
    plan(task, max_tokens=120)
    pairs = [len(b) for b in plan(task, "valid", max_tokens=120) if b.parallel]
    assert pairs == [1, 1]


def test_validation_text_of_which_nothing_can_be_used_shows_before_training(
    make_task, folder, write
):
    for path in ("mono/de/valid", "parallel/de-en/valid.de-en.de", "parallel/de-en/valid.de-en.en"):
        write(folder / path, words(0))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    task.load_dataset("valid")
    with ends_with("no valid example of"):
        plan(task)


def test_max_tokens_does_not_cut_sentences(make_task, folder, write):
    write(folder / "mono/de/train", words(5, 58))
    for side in ("de", "en"):
        write(folder / f"parallel/de-en/train.de-en.{side}", words(3, 4))
    task = make_task(data=str(folder), languages="de", pairs="de-en")
    with ends_with("--max-tokens 50 is less than the longest example needs, 60"):
        plan(task, max_tokens=50, max_positions=50)  # as fairseq's trainer asks


def test_the_model_s_positions_limit_the_rows(make_task, make_model, monkeypatch):
    monkeypatch.setattr(FairseqTask, "build_model", lambda self, cfg, from_checkpoint: make_model())
    task = make_task(tokens_per_sample=512)
    task.build_model(argparse.Namespace())
    assert task.max_positions() == 64


def test_more_ranks_than_batches(make_task):
    task = make_task(pairs="tr-en", languages="de")
    batches = plan(task, num_shards=64)
    assert len(batches) % 64 == 0
    own = [batches[rank::64] for rank in range(64)]
    assert len({tuple(b.parallel for b in mine) for mine in own}) == 1
    dataset = task.datasets["train"]
    for batch in (b for b in batches if b.filler):
        sample = dataset.collater([dataset[item] for item in batch])
        assert sample["nsentences"] == 1 and sample["filler"]


def test_predicting_tokens_where_none_are_masked(make_task):
    task = make_task(mask_prob=0.0)
    settings = AmberCriterionConfig(_name="amber")
    with ends_with("--mask-prob 0 leaves nothing to predict"):
        task.build_criterion(OmegaConf.structured(settings))
    settings.mlm_weight = settings.tlm_weight = 0.0
    task.build_criterion(OmegaConf.structured(settings))
