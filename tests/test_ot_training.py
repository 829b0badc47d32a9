"""The real ``fairseq-train`` with optimal transport and with linked words, on a toy data folder.

Linked words are drawn together (``l2_alignment``) or choose each other
(``contrastive_alignment``).
"""

import re
from pathlib import Path

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq

SHAPE = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64"
).split()
SETTINGS = (
    "--task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300 --optimizer adam"
    " --lr 0.01 --lr-scheduler inverse_sqrt --warmup-updates 4 --clip-norm 1 --seed 3"
    " --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()


def train(data, save_dir, criterion, *flags):
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR, *SHAPE, *SETTINGS]
    return run_fairseq("train", data, *own, "--criterion", criterion, *flags)


def trained(data, save_dir, criterion, *flags):
    """Trains, and returns the result of the run and its last checkpoint."""
    result = train(data, save_dir, criterion, *flags)
    assert result.returncode == 0, result.stderr
    return result, read_torch_file(save_dir / "checkpoint_last.pt")


def logged(result, name):
    """The logged value of a term at each update."""
    lines = [line for line in result.stdout.splitlines() if "| train_inner |" in line]
    found = (re.search(rf" {name}=([^,]+)", line) for line in lines)
    return [float(match[1]) for match in found if match]


@pytest.fixture(scope="module")
def start(word_folder, tmp_path_factory) -> Path:
    """A checkpoint after two updates."""
    folder = tmp_path_factory.mktemp("start")
    trained(word_folder, folder, "amber", "--max-update", "2", "--disable-validation")
    return folder / "checkpoint_last.pt"


def parameters(checkpoint):
    """Counts the parameters of the model, each once, and those that the optimiser keeps."""
    model = {value.data_ptr(): value.numel() for value in checkpoint["model"].values()}
    kept = checkpoint["last_optimizer_state"]["state"].values()
    return sum(model.values()), sum(state["exp_avg"].numel() for state in kept)


def test_the_frozen_encoder_is_the_checkpoint_and_in_none(word_folder, start, tmp_path):
    flags = ["--finetune-from-model", str(start), "--dropout", "0", "--attention-dropout", "0"]
    result, last = trained(word_folder, tmp_path, "ot_alignment", "--max-update", "3", *flags)
    assert f"the frozen initial encoder is {start}" in result.stdout
    first, second, third = logged(result, "anchor_loss")
    assert first == second == 0 < third  # warm-up begins with a step of 0
    assert all(value > 0 for value in logged(result, "ot_loss"))
    valid = next(line for line in result.stdout.splitlines() if "| valid |" in line)
    assert "| ot_loss/de-en " in valid and "| anchor_loss/de-en " in valid
    model, kept = parameters(last)
    assert model == kept
    assert last["model"].keys() == read_torch_file(start)["model"].keys()
    assert not last["criterion"]


@pytest.mark.parametrize(
    "criterion, flags",
    [
        ("ot_alignment", "--finetune-from-model START --dropout 0.1"),
        ("amber", "--ot-weight 1 --anchor-weight 0.1 --ot-scope sentence --max-tokens 600"),
    ],
)
def test_resuming_equals_not_having_stopped(word_folder, start, tmp_path, criterion, flags):
    """The frozen encoder comes from a checkpoint in one case, from the seed in the other."""
    flags = [str(start) if flag == "START" else flag for flag in flags.split()]
    flags += ["--update-freq", "2", "--disable-validation", "--max-update"]
    _, whole = trained(word_folder, tmp_path / "straight", criterion, *flags, "5")
    _, half = trained(word_folder, tmp_path / "stopped", criterion, *flags, "3")
    result, rest = trained(word_folder, tmp_path / "stopped", criterion, *flags, "5")
    assert rest["optimizer_history"][-1]["num_updates"] == 5
    assert len(logged(result, "anchor_loss")) == 2
    for name, value in whole["model"].items():
        assert torch.equal(value, rest["model"][name]), name
    assert any(not torch.equal(half["model"][n], v) for n, v in whole["model"].items())


@pytest.mark.parametrize(
    "criterion, flags, terms",
    [
        (
            "ot_alignment",
            "--ot-solver sinkhorn --ot-scope sentence --ot-points subwords --ot-reach 1"
            " --ot-marginals idf --ot-position-weight 0.1 --anchor-weight 0",
            ["ot_loss"],
        ),
        ("ot_alignment", "--bf16 --anchor-reduction mse", ["ot_loss", "anchor_loss"]),
        ("l2_alignment", "--l2-links LINKS --bf16", ["l2_loss", "anchor_loss"]),
        (
            "l2_alignment",
            "--l2-links LINKS --l2-target-states frozen --l2-special-tokens --l2-reduction mse"
            " --anchor-reduction mse",
            ["l2_loss", "anchor_loss"],
        ),
        (
            "contrastive_alignment",
            "--contrast-units words --contrast-links LINKS",
            ["mlm_loss", "tlm_loss", "contrast_loss", "contrast_accuracy"],
        ),
        (
            "contrastive_alignment",
            "--mlm-weight 0 --tlm-weight 0 --contrast-units words --contrast-links LINKS"
            " --contrast-negatives strong --contrast-projection 8 --contrast-projection-layers 2"
            " --anchor-weight 0.1",
            ["contrast_loss", "contrast_accuracy", "anchor_loss"],
        ),
        (
            "amber",
            "--ot-weight 1 --anchor-weight 0.1 --wa-weight 0 --max-tokens 600 --bf16",
            ["mlm_loss", "tlm_loss", "sa_loss", "ot_loss", "anchor_loss"],
        ),
    ],
    ids=["practical", "bf16", "links", "links of Cao et al.'s code", "weak", "strong", "amber"],
)
def test_it_trains(word_folder, link_folder, start, tmp_path, criterion, flags, terms):
    if "--bf16" in flags and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq takes --bf16 for TPUs")
    flags = flags.replace("LINKS", str(link_folder)).split()
    flags += ["--finetune-from-model", str(start), "--update-freq", "2", "--max-update", "3"]
    result, last = trained(word_folder, tmp_path, criterion, *flags)
    for term in terms:
        values = logged(result, term)
        assert values and all(value < 1000 for value in values), term
    before = read_torch_file(start)["model"]
    assert all(value.isfinite().all() for value in last["model"].values())
    assert any(not torch.equal(before[name], value) for name, value in last["model"].items())


@pytest.mark.parametrize(
    "criterion, flags, message",
    [
        ("ot_alignment", "--ot-mass 2", "--ot-mass 2.0 is more than 1"),
        ("ot_alignment", "--anchor-checkpoint nowhere.pt", "nowhere.pt does not exist"),
        ("amber", "--ot-weight 1 --ot-layer 9", "--ot-layer 9: the model has layers 1 to 2"),
        ("l2_alignment", "", "--l2-links names the folder with the word links"),
        (
            "l2_alignment",
            "--l2-links nowhere",
            "cannot read nowhere/valid.de-en.align, the word links",
        ),
    ],
)
def test_a_mistake_ends_in_one_clear_line(word_folder, tmp_path, criterion, flags, message):
    save_dir = tmp_path / "ck"
    result = train(word_folder, save_dir, criterion, *flags.split(), "--max-update", "1")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("fairseq-amber: error: ") and message in last, last
    assert not list(save_dir.glob("*.pt"))
