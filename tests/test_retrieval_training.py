"""``--validate-retrieval`` under the real ``fairseq-train``, on a toy data folder."""

import re

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq

TRAIN = (
    "--task cross_lingual_alignment --arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16"
    " --encoder-ffn-embed-dim 32 --max-positions 64 --tokens-per-sample 64 --max-tokens 600"
    " --optimizer adam --lr 0.01 --lr-scheduler fixed --clip-norm 1 --seed 3 --log-format simple"
    " --log-interval 1 --no-epoch-checkpoints --cpu --dropout 0.1"
).split()
NAMES = ("retrieval", "retrieval_forward", "retrieval_backward/de-en", "retrieval/de-en")


def train(data, save_dir, criterion, *flags, processes=1):
    own = ["--user-dir", USER_DIR, *TRAIN, "--criterion", criterion, "--save-dir", save_dir]
    return run_fairseq("train", data, *own, *flags, processes=processes)


def validated(result):
    """What each validation of a run has logged, by name."""
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "| valid |" in line]
    return [dict(re.findall(r"\| (\S+) ([-\d.]+)", line)) for line in lines]


def test_it_reaches_the_log_and_tensorboard_and_chooses_the_best(data_folder, tmp_path):
    board, flags = tmp_path / "tb", ["--best-checkpoint-metric", "retrieval", "--max-update", "8"]
    flags += ["--maximize-best-checkpoint-metric", "--validate-interval-updates", "1"]
    flags += ["--validate-retrieval", "--tensorboard-logdir", str(board)]
    flags += ["--save-interval-updates", "1"]
    logged = validated(train(data_folder, tmp_path / "ck", "amber", *flags))
    values = [float(line["retrieval"]) for line in logged]
    assert len(values) >= 8 and len(set(values)) > 2
    assert all(0 <= value <= 100 for value in values)
    assert float(logged[-1]["best_retrieval"]) == max(values)

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(board / "valid"), size_guidance={"scalars": 0})
    events.Reload()
    assert set(NAMES) <= set(events.Tags()["scalars"])
    assert [event.value for event in events.Scalars("retrieval")][: len(values)] == pytest.approx(
        values
    )
    events = EventAccumulator(str(board / "train"))
    events.Reload()
    assert "retrieval" not in events.Tags()["scalars"]

    best = read_torch_file(tmp_path / "ck" / "checkpoint_best.pt")
    assert best["extra_state"]["best"] == max(values)
    assert best["extra_state"]["val_loss"] == max(values)
    # fairseq-validate measures the same of that checkpoint
    given = "--max-tokens 600 --task cross_lingual_alignment --cpu --log-format simple".split()
    given += ["--path", tmp_path / "ck" / "checkpoint_best.pt", "--user-dir", USER_DIR]
    result = run_fairseq("validate", data_folder, *given)
    assert float(validated(result)[0]["retrieval"]) == max(values)


def test_it_changes_nothing_else_and_resuming_equals_not_having_stopped(data_folder, tmp_path):
    flags = ["--validate-interval-updates", "2", "--update-freq", "2", "--max-update"]
    measure = ["--validate-retrieval", "5"]
    runs = {
        "without": [flags],
        "straight": [measure + flags],
        "stopped": [measure + flags],
    }
    states = {}
    for name, (settings,) in runs.items():
        if name == "stopped":
            validated(train(data_folder, tmp_path / name, "amber", *settings, "3"))
        validated(train(data_folder, tmp_path / name, "amber", *settings, "6"))
        path = tmp_path / name / "checkpoint_last.pt"
        states[name] = read_torch_file(path)
    for name in ("without", "stopped"):
        for key, value in states["straight"]["model"].items():
            assert torch.equal(value, states[name]["model"][key]), (name, key)


@pytest.mark.parametrize(
    "criterion, flags",
    [
        ("contrastive_alignment", "--contrast-layer 1 --contrast-momentum 0.9"),
        ("ot_alignment", "--bf16"),
        ("l2_alignment", "--l2-links LINKS"),
        ("amber", "--tlm-weight 0 --wa-weight 0 --sa-weight 0"),  # reads no pairs itself
    ],
)
def test_every_criterion_has_it(word_folder, link_folder, tmp_path, criterion, flags):
    if "--bf16" in flags and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq takes --bf16 for TPUs")
    flags = flags.replace("LINKS", str(link_folder)).split()
    flags += ["--validate-retrieval", "--max-update", "1"]
    logged = validated(train(word_folder, tmp_path, criterion, *flags))
    assert set(NAMES) <= set(logged[0])


@pytest.mark.distributed
def test_two_processes_measure_the_same_model(data_folder, tmp_path):
    """Of the same weights, not trained: the update is empty at a learning rate of 0."""
    flags = "--validate-retrieval --max-update 1 --lr 0 --ddp-backend legacy_ddp".split()
    found = []
    for processes in (1, 2):
        save_dir = tmp_path / str(processes)
        found += validated(train(data_folder, save_dir, "amber", *flags, processes=processes))
    assert len(found) == 2
    for name in NAMES:
        assert found[0][name] == found[1][name]


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--best-checkpoint-metric retrieval", "retrieval needs --validate-retrieval"),
        ("--validate-retrieval --pairs tr-en --tlm-weight 0", "parallel has no valid pairs"),
    ],
)
def test_a_mistake_ends_in_one_clear_line(data_folder, tmp_path, flags, message):
    result = train(data_folder, tmp_path, "amber", *flags.split(), "--max-update", "1")
    assert result.returncode != 0 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("fairseq-amber: error: ") and message in last, last
    assert not list(tmp_path.glob("*.pt"))
