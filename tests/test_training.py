"""The real ``fairseq-train`` on a toy data folder: training, resuming, ranks, mistakes."""

import re
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq, run_torchrun

SHAPE = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64"
).split()
SETTINGS = (
    "--task cross_lingual_alignment --criterion amber --tokens-per-sample 64 --max-tokens 600"
    " --optimizer bert_adam --weight-decay 0.01 --lr 0.01 --lr-scheduler inverse_sqrt"
    " --warmup-updates 4 --clip-norm 1"
    " --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()


def train(data, save_dir, *flags, program=run_fairseq, **settings):
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR, *SHAPE, *SETTINGS]
    return program("train", data, *own, *flags, **settings)


def checkpoint(result, save_dir):
    assert result.returncode == 0, result.stderr
    return read_torch_file(save_dir / "checkpoint_last.pt")


def assert_equal_to_the_bit(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.fixture
def temporary(monkeypatch):
    """The temporary folder of the runs. Its path is short: that of a socket has at most 107 bytes,
    and a data-loading worker that cannot make one waits for ever."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_resuming_in_the_middle_of_an_epoch_equals_not_having_stopped(
    data_folder, tmp_path, temporary
):
    flags = ["--num-workers", "2", "--update-freq", "2"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    whole = checkpoint(train(data_folder, straight, *flags, "--max-update", "9"), straight)
    half = checkpoint(train(data_folder, stopped, *flags, "--max-update", "5"), stopped)
    assert half["extra_state"]["train_iterator"]["iterations_in_epoch"] > 0
    rest = checkpoint(train(data_folder, stopped, *flags, "--max-update", "9"), stopped)

    assert_equal_to_the_bit(whole["model"], rest["model"])
    whole_states = whole["last_optimizer_state"]["state"]
    for key, state in rest["last_optimizer_state"]["state"].items():
        assert_equal_to_the_bit(
            {k: v for k, v in state.items() if torch.is_tensor(v)},
            {k: v for k, v in whole_states[key].items() if torch.is_tensor(v)},
        )
    assert any(not torch.equal(half["model"][n], v) for n, v in whole["model"].items())
    assert list(temporary.glob("pymp-*")) == []


@pytest.mark.distributed
@pytest.mark.parametrize(
    "backend, start",
    [("legacy_ddp", dict(processes=2)), ("c10d", dict(program=run_torchrun))],
    ids=["legacy_ddp", "c10d-torchrun"],
)
def test_two_processes_on_cpu_train_and_resume(data_folder, tmp_path, backend, start):
    if backend == "c10d":
        version = pytest.importorskip("fairseq").__version__
        if "+" not in version:
            pytest.skip("stock fairseq's c10d needs a GPU")
    flags = ["--ddp-backend", backend, "--max-update"]
    results = [train(data_folder, tmp_path, *flags, n, **start) for n in ("3", "6")]
    last = checkpoint(results[1], tmp_path)
    assert last["optimizer_history"][-1]["num_updates"] == 6
    assert "Loaded checkpoint" in results[1].stdout
    for term in ("mlm_loss", "tlm_loss", "wa_loss", "sa_loss", "sa_accuracy"):
        assert term in results[0].stdout


@pytest.mark.parametrize(
    "flags",
    [
        "--bf16",
        "--bf16 --memory-efficient-bf16",
        "--checkpoint-activations --whole-word-masking --pair-positions xlm --dropout 0.1",
    ],
)
def test_precision_memory_and_layout(word_folder, tmp_path, flags):
    if "--bf16" in flags and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq takes --bf16 for TPUs")
    flags = [*flags.split(), "--update-freq", "2", "--max-update", "4"]
    result = train(word_folder, tmp_path / "ck", *flags)
    state = checkpoint(result, tmp_path / "ck")
    assert all(value.isfinite().all() for value in state["model"].values())
    weight = state["model"]["encoder.lm_head.dense.weight"]  # saved as fp32 whatever it was
    assert torch.equal(weight.bfloat16().float(), weight) == ("--bf16" in flags)


def test_every_term_reaches_the_log_and_tensorboard(data_folder, tmp_path):
    board = tmp_path / "tb"
    result = train(
        data_folder, tmp_path / "ck", "--max-update", "4", "--tensorboard-logdir", str(board)
    )
    assert result.returncode == 0, result.stderr
    valid = next(line for line in result.stdout.splitlines() if "| valid |" in line)
    names = ("loss", "mlm_loss", "tlm_loss", "wa_loss", "wa_score", "sa_loss", "sa_accuracy")
    of_corpora = ("mlm_loss/de", "mlm_loss/en", "tlm_loss/de-en", "wa_score/de-en")
    for name in (*names, *of_corpora, "padding", "pps", "wps", "sa_weight"):
        assert f"| {name} " in valid
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(board / "valid"))
    events.Reload()
    assert {*names, *of_corpora} <= set(events.Tags()["scalars"])


@pytest.mark.parametrize(
    "flags",
    ["", "--wa-map-encoding joint", "--wa-target self --wa-target-threshold 0.05"],
    ids=["apart", "joint", "self"],
)
def test_word_alignment_by_states_alone_fine_tunes_another_run(data_folder, tmp_path, flags):
    """It reads the pairs alone, although the folder has monolingual text too."""
    first = ["--wa-weight", "0", "--max-update", "2", "--disable-validation"]
    checkpoint(train(data_folder, tmp_path / "tlm", *first), tmp_path / "tlm")
    alone = "--mlm-weight 0 --tlm-weight 0 --sa-weight 0 --wa-map states --wa-map-temperature 4"
    alone += " --update-freq 2 --max-update 12"
    start = ["--finetune-from-model", tmp_path / "tlm" / "checkpoint_last.pt"]
    result = train(data_folder, tmp_path / "ck", *alone.split(), *flags.split(), *start)
    state = checkpoint(result, tmp_path / "ck")
    assert all(value.isfinite().all() for value in state["model"].values())
    inner = [line for line in result.stdout.splitlines() if "| train_inner |" in line]
    losses, scores = (
        [float(re.search(rf"{name}=([-\d.]+)", line)[1]) for line in inner]
        for name in ("wa_loss", "wa_score")
    )
    assert len(losses) == 12 and losses[-1] < losses[0] - 0.02
    assert all(0 < score < 1 for score in scores)
    if "self" in flags:
        assert all(-1 < loss < 0 for loss in losses)
    else:
        assert losses == pytest.approx([1 - score for score in scores], abs=2e-3)
    assert "mlm_loss" not in inner[0] and "| valid |" in result.stdout


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--languages", "de,xx"], "--languages: unknown language 'xx'; .*mono has de, en"),
        (["--pairs", "en-de"], r"unknown pair 'en-de' \(the pair is stored as de-en\)"),
        (["--max-tokens", "30"], "--max-tokens 30 is less than the longest example needs"),
        (["--mask-prob", "1.5"], "--mask-prob 1.5 is not between 0 and 1"),
        (["--parallel-share", "1"], "--parallel-share 1.0 .*set its criterion weights to 0"),
    ],
)
def test_a_mistake_ends_in_one_clear_line(data_folder, tmp_path, flags, message):
    assert_one_clear_line(train(data_folder, tmp_path, *flags, "--max-update", "1"), message)


def assert_one_clear_line(result, message):
    import re

    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("fairseq-amber: error: ") and re.search(message, last), last


def test_a_folder_without_dictionary_and_a_checkpoint_of_another_architecture(
    data_folder, tmp_path
):
    assert_one_clear_line(
        train(tmp_path, tmp_path / "ck"), "dict.txt is missing: .*fairseq-amber prepare RAW"
    )
    checkpoint(train(data_folder, tmp_path / "ck", "--max-update", "1"), tmp_path / "ck")
    result = train(data_folder, tmp_path / "ck", "--max-update", "2", "--encoder-layers", "3")
    assert_one_clear_line(result, "another architecture: .* give the --arch it was trained with")


def test_stock_roberta_continues_from_our_checkpoint(data_folder, tmp_path, temporary):
    ours = tmp_path / "ours"
    saved = checkpoint(train(data_folder, ours, "--max-update", "2"), ours)
    text = shutil.copytree(data_folder / "mono" / "de", tmp_path / "de")
    shutil.copy(data_folder / "dict.txt", text)
    command = (
        "--task masked_lm --criterion masked_lm --arch roberta --encoder-layers 2"
        " --encoder-embed-dim 16 --encoder-ffn-embed-dim 32 --encoder-attention-heads 4"
        " --max-positions 64 --tokens-per-sample 64 --sample-break-mode eos --batch-size 4"
        " --optimizer adam --lr 0 --max-update 1 --cpu --disable-validation"
        " --reset-optimizer --reset-dataloader --reset-meters --reset-lr-scheduler"
    ).split()
    places = ["--restore-file", ours / "checkpoint_last.pt", "--save-dir", tmp_path / "stock"]
    result = run_fairseq("train", text, *command, *places)
    loaded = checkpoint(result, tmp_path / "stock")["model"]
    for name, value in saved["model"].items():
        torch.testing.assert_close(loaded[name], value)
    if "+" in pytest.importorskip("fairseq").__version__:
        assert list(temporary.glob("pymp-*")) == []
