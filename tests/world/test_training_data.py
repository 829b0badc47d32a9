"""What people report of data folders: what is read of them, and what a loss on them is over."""

import collections
import os
import shutil

import numpy as np
import pytest
from fairseq.data.data_utils import load_indexed_dataset
from omegaconf import OmegaConf

from fairseq_amber.criterions.amber import AmberCriterionConfig
from task_batches import plan
from toy_corpora import data_folder, write_binarised  # noqa: F401  (the toy one)


def continue_split(folder, random_sentences, count=2):
    """Adds train1, train2, ... to every corpus."""
    for index in sorted(folder.glob("*/*/train*.idx")):
        for number in range(1, count + 1):
            name = index.name[: -len(".idx")].replace("train", f"train{number}", 1)
            write_binarised(index.parent / name, random_sentences(10 + number, number))


def test_a_split_that_goes_on_in_further_files(make_task, folder, random_sentences):
    """train1 and train2 beside train were left out, which every stock task reads."""
    continue_split(folder, random_sentences)
    task = make_task(data=str(folder))
    task.load_dataset("train", combine=True)
    by_name = {corpus.name: corpus for corpus in task.datasets["train"].corpora}
    stock = load_indexed_dataset(str(folder / "mono/de/train"), combine=True)
    assert len(by_name["de"]) == len(stock) == 60 + 11 + 12
    for index in range(len(stock)):
        assert by_name["de"][index].tolist() == stock[index].tolist()[:-1]
    for side, language in enumerate(("de", "en")):
        path = folder / f"parallel/de-en/train.de-en.{language}"
        parts = [
            load_indexed_dataset(str(path).replace("train.", f"train{n}.")) for n in ("", 1, 2)
        ]
        wanted = [sentence.tolist()[:-1] for part in parts for sentence in part]
        found = [by_name["de-en"][i][side].tolist() for i in range(len(by_name["de-en"]))]
        assert found == wanted
    task.load_dataset("valid")
    assert {c.name: len(c) for c in task.datasets["valid"].corpora}["de"] == 5


def test_a_further_file_of_one_side_only(make_task, folder, random_sentences):
    """A part that has lost a side is named, not read past."""
    continue_split(folder, random_sentences, count=1)
    (folder / "parallel/de-en/train1.de-en.en.idx").unlink()
    with pytest.raises(SystemExit, match="train1.de-en.en.idx is missing or has no sentence"):
        make_task(data=str(folder)).load_dataset("train")


@pytest.mark.parametrize("combined", [False, True])
@pytest.mark.parametrize("run", ["validate", "train"])
def test_a_loss_on_the_training_text_is_over_each_example_once(
    make_task, folder, random_sentences, run, combined
):
    """fairseq-validate --valid-subset train measured a resampled text; in fairseq-train the batches
    of --valid-subset train were those of a training epoch."""
    if combined:
        continue_split(folder, random_sentences)
    task = make_task(data=str(folder))
    criterion = task.build_criterion(OmegaConf.structured(AmberCriterionConfig(_name="amber")))
    settings = dict(max_tokens=600, max_positions=64, disable_iterator_cache=False)
    if run == "validate":
        criterion.eval()
        del settings["disable_iterator_cache"]
    task.load_dataset("train")
    data = task.datasets["train"]
    iterator = task.get_batch_iterator(data, **settings)
    seen = collections.Counter()
    for batch in iterator.next_epoch_itr(shuffle=False):
        assert batch["corpus"] is not None
        seen.update(batch["id"].tolist())
    assert sorted(seen) == list(range(len(data))) and set(seen.values()) == {1}
    # Training goes on with its own batches, and with the masks of its own epoch.
    training = dict(settings, update_epoch_batch_itr=False, disable_iterator_cache=False, epoch=3)
    drawn = task.get_batch_iterator(data, **training).frozen_batches
    task.get_batch_iterator(data, **settings)
    assert data.epoch == 3
    twin = plan(make_task(data=str(folder)), max_positions=64, epoch=3)
    assert [b.indices.tolist() for b in drawn] == [b.indices.tolist() for b in twin]


@pytest.mark.parametrize(
    "flag, names, kind", [("pairs", "de-en,ru-en", "parallel"), ("languages", "de,ru", "mono")]
)
def test_shards_of_different_languages(
    make_task, folder, tmp_path, random_sentences, flag, names, kind
):
    """--pairs and --languages had to name what every one of several data folders has."""
    other = tmp_path / "other"
    for language in ("ru", "en"):
        write_binarised(other / f"mono/{language}/train", random_sentences(20, 1))
        write_binarised(other / f"parallel/ru-en/train.ru-en.{language}", random_sentences(20, 2))
    shutil.copy(folder / "dict.txt", other)
    both = os.pathsep.join(map(str, (folder, other)))
    task = make_task(data=both, **{flag: names})
    found = []
    for epoch in (1, 2):
        task.load_dataset("train", epoch=epoch)
        corpora = task.datasets["train"].corpora
        found.append({c.name for c in corpora if c.parallel == (kind == "parallel")})
    assert [sorted(each) for each in found] == [[name] for name in names.split(",")]
    with pytest.raises(
        SystemExit, match=f"--{flag}: unknown .* 'xx-en'; .*{kind} and .*{kind} has"
    ):
        make_task(data=both, **{flag: "xx-en"}).load_dataset("train")
    shutil.rmtree(other / kind / names.split(",")[1])
    (other / kind / names.split(",")[1]).mkdir()
    with pytest.raises(SystemExit, match=f"--{flag}: .*ru.* has no train text"):
        make_task(data=both, **{flag: names}).load_dataset("train")


@pytest.mark.parametrize("data", ["{0}:", ":{0}", "{0}::{0}", ""])
def test_a_colon_too_many(make_task, folder, data):
    """It ended in FileNotFoundError: ''."""
    with pytest.raises(SystemExit, match="have an empty name: separate them by one : each"):
        make_task(data=data.format(folder))


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("train", "move train.bin and train.idx to .*/mono/<language>/"),
        ("mono/de/train.de-None.de", "rename its two files to train.bin and train.idx"),
        ("de/train", "move its folder into .*/mono/"),
    ],
)
def test_folders_as_stock_fairseq_leaves_them(make_task, folder, name, remedy):
    """What was said of a folder without text did not name the text that lay there."""
    shutil.rmtree(folder / "mono")
    shutil.rmtree(folder / "parallel")
    write_binarised(folder / name, [np.full(5, 9)])
    with pytest.raises(SystemExit, match=f"has no train text .*; .*{remedy}"):
        make_task(data=str(folder)).load_dataset("train")
