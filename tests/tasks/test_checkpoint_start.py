"""What a training begins from: flags, damage, stand-ins, other models, the lock of its folder."""

import logging
import os
from types import SimpleNamespace

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.trainer import Trainer
from omegaconf import OmegaConf

from fairseq_amber.errors import UserError
from fairseq_amber.tasks import checkpoint_start
from fairseq_amber.tasks.checkpoint_start import LAST, check_alone, find_start, guard_start


@pytest.fixture
def run(tmp_path):
    """``run(**settings)``: settings of checkpoints, of a run in the folder ``run``."""
    folder = tmp_path / "run"
    folder.mkdir()

    def settings(**given):
        cfg = dict(save_dir=str(folder), restore_file=LAST, finetune_from_model=None)
        cfg.update(continue_once=None, no_last_checkpoints=False, no_save=False)
        resets = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")
        cfg.update(dict.fromkeys(resets, False), **given)
        return OmegaConf.create(cfg)

    settings.folder = folder
    return settings


def save(path, updates=1):
    torch.save({"model": {}, "optimizer_history": [{"num_updates": updates}]}, path)
    return str(path)


def test_a_new_run_begins_from_nothing_or_from_the_model_that_it_names(run, tmp_path):
    model = save(tmp_path / "model.pt")
    assert find_start(run()) == (None, "")
    assert find_start(run(finetune_from_model=model)).path == model
    assert find_start(run(continue_once=model)).path == model
    assert find_start(run(restore_file=model)).path == model
    own = str(run.folder / LAST)
    assert find_start(run(restore_file=own)) == (None, "")  # a recipe's way to say: if it is there
    save(own)
    for settings in ({}, {"restore_file": own}, {"finetune_from_model": str(tmp_path / "absent")}):
        assert find_start(run(**settings)) == (own, "")


@pytest.mark.parametrize("flag", ["restore_file", "finetune_from_model", "continue_once"])
def test_a_named_file_that_is_missing_or_damaged_is_refused(run, tmp_path, flag):
    path, name = tmp_path / "modle.pt", "--" + flag.replace("_", "-")
    cfg = run(**{flag: str(path)})
    with pytest.raises(UserError, match=f"^{name} .*modle.pt: there is no such file; correct the"):
        find_start(cfg)
    save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=f"^{name}: .*modle.pt is .*; give a whole checkpoint of"):
        find_start(cfg)
    torch.save({"embeddings.weight": torch.ones(2)}, path)  # Hugging Face's
    with pytest.raises(UserError, match=f"^{name}: .*is not a checkpoint .*fairseq-amber convert"):
        find_start(cfg)


def test_a_folder_is_for_another_flag(run, tmp_path):
    with pytest.raises(UserError, match="is a folder: .* give --from-pretrained .*start$"):
        (tmp_path / "start").mkdir()
        find_start(run(finetune_from_model=str(tmp_path / "start")))


def test_a_pretrained_model_is_the_only_beginning(run):
    check_alone(run())
    check_alone(run(restore_file=str(run.folder / LAST)))
    for flag in ("restore_file", "finetune_from_model", "continue_once"):
        name = "--" + flag.replace("_", "-")
        with pytest.raises(UserError, match=f"^--from-pretrained and {name}: each names what"):
            check_alone(run(**{flag: "model.pt"}))


def test_the_newest_whole_checkpoint_stands_in_for_a_damaged_or_missing_last_one(run):
    folder = run.folder
    save(folder / "checkpoint_1_5.pt", 5)
    newest = save(folder / "checkpoint_1_10.pt", 10)
    os.utime(newest, (1, 1))
    last = folder / LAST
    found = find_start(run())
    assert found.path == newest and f"{last} is missing: going on from {newest}" in found.stand_in
    assert find_start(run(no_last_checkpoints=True)) == (None, "")
    last.touch()
    found = find_start(run(finetune_from_model="absent"))
    assert found.path == newest and f"{last} is empty: going on from {newest}" in found.stand_in
    assert last.stat().st_size == 0
    for path in folder.glob("checkpoint_1_*"):
        path.write_bytes(b"PK")
    with pytest.raises(UserError, match="is empty, and .* has no other whole checkpoint: put a"):
        find_start(run())


@pytest.fixture
def load(monkeypatch):
    """``load(cfg)`` -> the settings that fairseq's own function gets."""
    seen = []

    def stock(cfg, trainer):
        seen.append(cfg)
        return {"val_loss": 3.0, "best": 3.0}, "epoch"

    guarded = checkpoint_start._starting(stock)
    trainer = SimpleNamespace(
        checkpoint_suffix="", data_parallel_rank=0, data_parallel_world_size=1
    )

    def run_it(cfg, **changes):
        for name, value in changes.items():
            setattr(trainer, name, value)
        assert guarded(cfg, trainer)[1] == "epoch"
        return seen[-1]

    yield run_it
    checkpoint_start._held.close()


def test_fairseq_is_pointed_at_the_stand_in(run, load, caplog):
    stand_in = save(run.folder / "checkpoint_1_5.pt", 5)
    (run.folder / LAST).touch()
    (run.folder / "checkpoint_1_10.pt.tmp").touch()
    cfg = run(finetune_from_model="absent.pt")
    with caplog.at_level(logging.WARNING):
        given = load(cfg)
    assert (given.restore_file, given.finetune_from_model) == (stand_in, None)
    assert cfg.restore_file == LAST and cfg.finetune_from_model == "absent.pt"
    warned = [record.getMessage() for record in caplog.records]
    assert (
        len(warned) == 1 and LAST in warned[0] and stand_in in warned[0] and "\n" not in warned[0]
    )
    # it was the best one when the run was killed, before it had that name too
    names = ["checkpoint_1_5.pt", "checkpoint_best.pt", LAST]
    assert sorted(os.listdir(run.folder)) == names


def test_the_folder_is_held_until_the_process_ends_unless_nothing_is_saved(run, load):
    lock = run.folder.with_name(".run.amber-lock")
    load(run(no_save=True))
    assert not lock.exists()
    load(run())
    assert lock.exists()
    load(run())  # the same process may, as a notebook does
    checkpoint_start._held.close()
    assert not lock.exists()


def test_flags_that_exclude_each_other_are_one_line(run, load, tmp_path):
    model = save(tmp_path / "model.pt")
    for other in ({"reset_optimizer": True}, {"restore_file": model}):
        flag = "--" + next(iter(other)).replace("_", "-")
        with pytest.raises(SystemExit, match=f"--finetune-from-model and {flag}: .*drop either"):
            load(run(finetune_from_model=model, **other))


def test_a_file_for_each_rank_is_fairseqs_affair(run, load):
    cfg = run(restore_file="absent.pt")
    assert load(cfg, checkpoint_suffix="-shard0") is cfg


def test_other_ranks_end_without_a_word(run, load, monkeypatch):
    told = []
    utils = checkpoint_start.distributed_utils
    monkeypatch.setattr(utils, "broadcast_object", lambda found, **_: told.append(found) or told[0])
    ranks = dict(data_parallel_world_size=2, data_parallel_process_group=None, device="cpu")
    with pytest.raises(SystemExit, match="--restore-file absent.pt: there is no such file"):
        load(run(restore_file="absent.pt"), **ranks)
    with pytest.raises(SystemExit) as ended:
        load(run(restore_file="absent.pt"), data_parallel_rank=1)
    assert ended.value.code == 1 and told[1] is None


@pytest.mark.parametrize(
    "raised, message",
    [
        (AssertionError("Optimizer does not match; please reset"), "cannot go on so: Optimizer"),
        (AssertionError(), "cannot go on so: raise raised"),
        (ValueError("loaded state dict has a different number of"), "cannot go on so: loaded"),
        (KeyError("train_iterator"), "is not as fairseq-train writes .* has no 'train_iterator';"),
        (
            Exception("Cannot load model parameters from checkpoint x; ..."),
            r"is of another model or criterion \(no such weight\): give the --arch",
        ),
    ],
)
def test_what_does_not_fit_the_run_is_one_line(raised, message):
    def stock(trainer, path):
        try:
            raise RuntimeError("no such weight\nand more")
        except RuntimeError:
            raise raised  # noqa: B904  (as fairseq does)

    with pytest.raises(SystemExit, match=f"^fairseq-amber: error: x.pt {message}"):
        checkpoint_start._loading(stock)(None, "x.pt")


def test_what_the_model_refuses_is_said_with_the_name_of_the_file():
    def stock(trainer, path):
        raise SystemExit("fairseq-amber: error: the checkpoint is of another architecture: ...")

    with pytest.raises(SystemExit, match="^fairseq-amber: error: x.pt is of another architecture"):
        checkpoint_start._loading(stock)(None, "x.pt")


def test_other_errors_stay_what_they_are():
    def stock(trainer, path):
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        checkpoint_start._loading(stock)(None, "x.pt")


def test_fairseq_begins_by_ours_once():
    guarded = checkpoint_utils.load_checkpoint, Trainer.load_checkpoint
    assert guarded[0].guarded
    guard_start()
    assert guarded == (checkpoint_utils.load_checkpoint, Trainer.load_checkpoint)
