"""Whole checkpoints are told from damaged ones, and the newest is found by its updates."""

import argparse
import os

import pytest
import torch

from fairseq_amber.errors import UserError
from fairseq_amber.files.checkpoint_folder import (
    check_checkpoint,
    checkpoints_of,
    newest_whole,
    remove_side_files,
)


def save(path, updates=1, **options):
    torch.manual_seed(updates)
    state = {
        "args": argparse.Namespace(arch="roberta"),
        "model": {"weight": torch.randn(300)},
        "optimizer_history": [{"num_updates": updates}],
    }
    torch.save(state, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_checkpoint_of_new_and_of_old_torch(tmp_path, zipped):
    path = save(tmp_path / "checkpoint_last.pt", 7, _use_new_zipfile_serialization=zipped)
    state = check_checkpoint(path)
    assert state["optimizer_history"][-1]["num_updates"] == 7
    assert state["model"]["weight"].shape == (300,)


def with_zeros(content):
    """What a disk leaves whose power failed: blocks that never got their content."""
    half = len(content) // 2
    return content[: half - 100] + bytes(200) + content[half + 100 :]


DAMAGE = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "first half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-1],
    "second half": lambda content: content[len(content) // 2 :],
    "a block of zeros": with_zeros,
    "all zeros": lambda content: bytes(len(content)),
    "one bit": lambda content: content[:-900] + bytes([content[-900] ^ 1]) + content[-899:],
    "text": lambda content: b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_of_every_kind_is_one_line_with_the_file(tmp_path, kind, zipped):
    path = save(tmp_path / "checkpoint_last.pt", _use_new_zipfile_serialization=zipped)
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    if not zipped and kind in ("a block of zeros", "one bit"):
        return  # files of torch < 1.6 have no checksums
    with pytest.raises(UserError, match=r"^(?!.*\n).*checkpoint_last\.pt is "):
        check_checkpoint(path)


def test_other_files_are_no_checkpoints(tmp_path):
    path = tmp_path / "model.pt"
    for content in ({"weight": torch.ones(2)}, [1], {"model": torch.ones(2)}):
        torch.save(content, path)
        with pytest.raises(UserError, match=r"model\.pt is not a checkpoint of fairseq-train"):
            check_checkpoint(path)
    with pytest.raises(UserError, match="cannot read .*absent.pt: No such file"):
        check_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(UserError, match="cannot read .*: Is a directory"):
        check_checkpoint(tmp_path)


def test_the_newest_whole_one_has_the_most_updates_whatever_the_time_of_its_file(tmp_path):
    assert newest_whole(tmp_path) is None and newest_whole(tmp_path / "absent") is None
    for number, updates in enumerate((90, 100, 20)):
        os.utime(save(tmp_path / f"checkpoint_2_{updates}.pt", updates), (number, number))
    save(tmp_path / "checkpoint.best_retrieval_de-en_40.0001.pt", 30)
    save(tmp_path / "checkpoint_averaged.pt", 500)  # of another program
    (tmp_path / "checkpoint_last.pt").touch()
    assert newest_whole(tmp_path) == (tmp_path / "checkpoint_2_100.pt", 100)
    (tmp_path / "checkpoint_2_100.pt").write_bytes(b"PK")
    assert newest_whole(tmp_path) == (tmp_path / "checkpoint_2_90.pt", 90)
    torch.save({"model": {}}, tmp_path / "checkpoint9.pt")  # nothing that a run could go on from
    assert newest_whole(tmp_path).updates == 90
    names = [path.name for path in checkpoints_of(tmp_path)]
    assert len(names) == 6 and "checkpoint_averaged.pt" not in names


def test_only_what_a_training_left_is_removed(tmp_path):
    left = (
        "checkpoint_1_5.pt.tmp",
        "checkpoint_last.pt.tmp",
        ".checkpoint_best.amber-partial.pt",
        ".checkpoint.best_f1_90.1230.amber-partial.pt",
        ".checkpoint3.pt.amber-lock",
    )
    kept = ("checkpoint_1_5.pt", "notes.tmp", ".checkpoint_averaged.amber-partial.pt", "train.log")
    for name in (*left, *kept):
        (tmp_path / name).touch()
    remove_side_files(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    remove_side_files(tmp_path / "absent")
