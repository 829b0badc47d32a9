"""Colon-separated data folders: each epoch trains on the next one, as in fairseq."""

import os
import re
import shutil

import numpy as np
import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq
from toy_corpora import write_binarised


@pytest.fixture
def shards(folder, tmp_path, random_sentences):
    """Two folders: the toy one, and one with 40 other de-en pairs, no tr-en and no valid split."""
    second = tmp_path / "second"
    (second / "mono").mkdir(parents=True)
    shutil.copy(folder / "dict.txt", second / "dict.txt")
    write_binarised(second / "mono/de/train", random_sentences(50, 21))
    for seed, side in enumerate(("de", "en")):
        write_binarised(
            second / f"parallel/de-en/train.de-en.{side}", random_sentences(40, 30 + seed)
        )
    return folder, second


def joined(folders):
    return os.pathsep.join(map(str, folders))


def test_each_epoch_trains_on_the_next_folder_and_the_first_validates(make_task, shards):
    task = make_task(data=joined(shards))
    assert task.has_sharded_data("train")
    names = {}
    for epoch in (1, 2, 3, 4):
        task.load_dataset("train", epoch=epoch)
        names[epoch] = [(c.name, len(c)) for c in task.datasets["train"].corpora]
    assert names[1] == names[3] == [("de", 60), ("en", 200), ("de-en", 90), ("tr-en", 30)]
    assert names[2] == names[4] == [("de", 50), ("de-en", 40)]
    task.load_dataset("valid", epoch=2)
    assert [c.name for c in task.datasets["valid"].corpora] == ["de", "en", "de-en"]


def test_one_folder_is_not_sharded(make_task):
    assert not make_task().has_sharded_data("train")


def start(task, **settings):
    task.load_dataset("train", epoch=1)
    dataset = task.datasets["train"]
    return task.get_batch_iterator(dataset, **{"max_tokens": 600, "epoch": 1, **settings})


def test_folders_of_different_dictionaries(make_task, shards):
    (shards[1] / "dict.txt").write_text("".join(f"v{i} 1\n" for i in range(40)))
    message = r"data-bin/dict.txt and .*second/dict.txt are different dictionaries"
    with pytest.raises(SystemExit, match=message):
        make_task(data=joined(shards))


def test_what_is_wrong_with_a_later_folder_shows_at_the_start(make_task, shards):
    with pytest.raises(SystemExit, match="unknown language 'xx'; .* and .*second/mono has de, en"):
        make_task(data=joined(shards), languages="de,xx").load_dataset("train", epoch=1)

    for side in ("de", "en"):
        write_binarised(shards[1] / f"parallel/de-en/train.de-en.{side}", [np.full(30, 5)])
    with pytest.raises(SystemExit, match="--max-tokens 150 is less than .* 189"):
        start(make_task(data=joined(shards)), max_tokens=150)

    with pytest.raises(SystemExit, match="--update-tokens 150 is less than .* 189"):
        start(make_task(data=joined(shards), update_tokens=150))

    path = shards[1] / "mono/de/train.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(SystemExit, match="second/mono/de/train.bin has"):
        make_task(data=joined(shards)).load_dataset("train", epoch=1)

    with pytest.raises(SystemExit, match="nowhere does not exist"):
        make_task(data=joined([shards[0], "nowhere"]))


def train(data, save_dir, *flags):
    own = (
        "--task cross_lingual_alignment --criterion amber"
        " --arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
        " --max-positions 64 --tokens-per-sample 64 --max-tokens 600 --optimizer adam --lr 0.01"
        " --clip-norm 1 --seed 3 --log-format simple --no-epoch-checkpoints --cpu"
        " --update-freq 2 --disable-validation"
    ).split()
    places = ["--save-dir", save_dir, "--user-dir", USER_DIR]
    result = run_fairseq("train", joined(data), *places, *own, *flags)
    assert result.returncode == 0, result.stderr
    return result.stdout, read_torch_file(save_dir / "checkpoint_last.pt")


def test_training_takes_the_folders_in_turn_and_resumes_in_the_right_one(shards, tmp_path):
    output, whole = train(shards, tmp_path / "straight", "--max-epoch", "2")
    for epoch, folder in zip((1, 2), shards):
        assert f"epoch {epoch} trains on {folder}\n" in output
    updates = whole["optimizer_history"][-1]["num_updates"]
    first = int(re.search(r"\| epoch 001 \|.*\| num_updates (\d+) \|", output).group(1))
    _, half = train(shards, tmp_path / "stopped", "--max-update", str(first + 2))
    assert half["extra_state"]["train_iterator"]["epoch"] == 2
    assert half["extra_state"]["train_iterator"]["iterations_in_epoch"] > 0
    output, rest = train(shards, tmp_path / "stopped", "--max-epoch", "2")
    assert f"epoch 1 trains on {shards[0]}\n" not in output
    assert f"epoch 2 trains on {shards[1]}\n" in output
    assert rest["optimizer_history"][-1]["num_updates"] == updates
    for name, value in whole["model"].items():
        assert torch.equal(rest["model"][name], value), name
