"""The real ``fairseq-train`` and ``fairseq-hydra-train`` from a folder as it was published."""

import shutil

import pytest
import torch

from fairseq_amber.convert.fairseq_checkpoint import write_amber
from fairseq_amber.convert.output_folder import output_folder
from fairseq_amber.convert.reading import read_source
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq

SETTINGS = (
    "--task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 150 --optimizer adam"
    " --lr 0.01 --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
    " --disable-validation --num-workers 0"
).split()


def train(data, save_dir, *flags):
    """Trains, and returns what the run says and its last checkpoint."""
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR, *SETTINGS]
    result = run_fairseq("train", data, *own, *flags)
    assert result.returncode == 0, result.stderr
    return result.stdout, read_torch_file(save_dir / "checkpoint_last.pt")


def assert_same(state, other):
    for name, value in state["model"].items():
        assert torch.equal(value, other["model"][name]), name


@pytest.mark.parametrize(
    "criterion",
    [
        "--criterion ot_alignment --anchor-weight 0.1",
        "--criterion contrastive_alignment --contrast-momentum 0.9 --contrast-queue 8"
        " --contrast-layer 2",
    ],
)
def test_it_equals_the_converted_folder(pretrained, pretrained_data, tmp_path, criterion):
    model = read_source(pretrained).model
    with output_folder(tmp_path / "converted") as folder:
        write_amber(model, folder)
    flags = [*criterion.split(), "--max-update", "3"]
    given = ["--arch", "amber", "--from-pretrained", pretrained]
    _, state = train(pretrained_data, tmp_path / "folder", *flags, *given)
    given = "--arch amber_tiny --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --max-positions 64"
    given += f" --layer-norm-eps 1e-12 --finetune-from-model {tmp_path}/converted/model.pt"
    _, expected = train(pretrained_data, tmp_path / "file", *flags, *given.split())
    assert_same(state, expected)


def test_resuming_equals_not_having_stopped(pretrained, pretrained_data, tmp_path):
    """The frozen encoder is read again. Without one, a run that goes on needs the folder no more,
    and neither does fairseq-validate."""
    start = shutil.copytree(pretrained, tmp_path / "start")
    given = f"--criterion ot_alignment --arch amber --update-freq 2 --from-pretrained {start}"
    flags = [*given.split(), "--anchor-weight", "0.1", "--max-update"]
    _, whole = train(pretrained_data, tmp_path / "straight", *flags, "4")
    run = tmp_path / "stopped"
    _, half = train(pretrained_data, run, *flags, "2")
    said, rest = train(pretrained_data, run, *flags, "4")
    assert f"going on from {run / 'checkpoint_last.pt'}; {start} is not read for it" in said
    assert f"the frozen initial encoder is {start}" in said
    assert rest["optimizer_history"][-1]["num_updates"] == 4
    assert_same(whole, rest)
    assert any(not torch.equal(half["model"][name], v) for name, v in whole["model"].items())
    shutil.rmtree(start)
    _, last = train(pretrained_data, run, *flags, "5", "--anchor-weight", "0")
    assert last["optimizer_history"][-1]["num_updates"] == 5
    assert last["cfg"]["model"]["encoder_layers"] == 2
    own = ["--user-dir", USER_DIR, "--task", "cross_lingual_alignment", "--cpu"]
    own += ["--max-tokens", "150", "--path", run / "checkpoint_last.pt"]
    checked = run_fairseq("validate", pretrained_data, *own)
    assert checked.returncode == 0 and "| ot_loss" in checked.stdout, checked.stderr


def test_a_new_head_learns_before_the_encoder_does(pretrained, pretrained_data, tmp_path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    bare = shutil.copytree(pretrained, tmp_path / "bare")
    transformers.AutoModel.from_pretrained(pretrained, add_pooling_layer=False).save_pretrained(
        bare
    )
    flags = "--criterion amber --wa-weight 0 --sa-weight 0 --arch amber --max-update 3".split()
    frozen = ["--from-pretrained", bare, "--freeze-encoder"]
    said, first = train(pretrained_data, tmp_path / "head", *flags, *frozen)
    assert "it has no language model head" in said and "train it alone first" not in said
    given = read_source(bare).model.weights
    changed = {
        name for name, value in first["model"].items() if not torch.equal(value, given[name])
    }
    parts = ("bias", "dense.bias", "dense.weight", "layer_norm.bias", "layer_norm.weight")
    assert changed == {f"encoder.lm_head.{part}" for part in parts}
    assert len(first["last_optimizer_state"]["state"]) == len(parts)
    own = ["--save-dir", tmp_path / "head", "--user-dir", USER_DIR, *SETTINGS, *flags]
    unfrozen = run_fairseq("train", pretrained_data, *own, "--from-pretrained", bare)
    assert unfrozen.returncode and "give the flags of its own run" in unfrozen.stderr
    said, _ = train(pretrained_data, tmp_path / "both", *flags, "--from-pretrained", bare)
    assert "train it alone first, with --freeze-encoder" in said
    goes_on = ["--from-pretrained", tmp_path / "head" / "checkpoint_last.pt"]
    _, whole = train(pretrained_data, tmp_path / "whole", *flags, *goes_on, "--lr", "1e-12")
    for name, value in first["model"].items():
        torch.testing.assert_close(whole["model"][name], value, atol=1e-9, rtol=0)
    assert (
        whole["last_optimizer_state"]["state"].keys()
        > first["last_optimizer_state"]["state"].keys()
    )


def test_the_terms_of_a_frozen_encoder(pretrained, pretrained_data, tmp_path):
    own = ["--save-dir", tmp_path, "--user-dir", USER_DIR, *SETTINGS, "--max-update", "1"]
    given = ["--arch", "amber", "--from-pretrained", pretrained, "--freeze-encoder"]
    result = run_fairseq("train", pretrained_data, *own, *given, "--criterion", "amber")
    assert "nothing would learn from wa, sa: give --wa-weight 0 --sa-weight 0" in result.stderr
