"""The real ``fairseq-train`` on toy tasks of XTREME's kinds: what is learned, kept and resumed."""

import argparse
import re
import shutil

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_amber.inference.checkpoint import load_model
from fairseq_amber.inference.encoder import Encoder
from fairseq_programs import USER_DIR, run_fairseq

SHAPE = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --encoder-attention-heads 4 --max-positions 64"
).split()
SETTINGS = (
    "--optimizer adam --lr 0.02 --lr-scheduler polynomial_decay --total-num-update 100000"
    " --clip-norm 1 --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()
FINE_TUNING = (
    "--batch-size 8 --update-freq 2 --max-epoch 4 --dropout 0.1 --maximize-best-checkpoint-metric"
).split()
KINDS = {  # what selects the checkpoint, and other flags
    "tagging": ("f1", "--max-length 24"),
    "classification": ("accuracy", "--max-length 16 --lr 0.01"),
    "qa": ("f1", "--max-length 24 --max-query-length 4 --doc-stride 8"),
}
RESET = "--reset-optimizer --reset-dataloader --reset-meters --reset-lr-scheduler".split()


def run(program, *arguments):
    return run_fairseq(program, *arguments, "--user-dir", USER_DIR)


def fine_tune(kind, folder, save_dir, *flags):
    metric, others = KINDS[kind]
    task = f"--task xtreme_{kind} --criterion xtreme_{kind} --best-checkpoint-metric {metric}"
    own = [*task.split(), *SHAPE, *SETTINGS, *FINE_TUNING, *others.split()]
    return run("train", folder, "--save-dir", save_dir, *own, *flags)


def checkpoint(result, path):
    assert result.returncode == 0, result.stderr
    return read_torch_file(path)


@pytest.fixture(scope="module")
def starts(data_folder, tmp_path_factory):
    """Flags that begin from a checkpoint of this package, and from one that looks like the XLM-R of
    its release."""
    folder = tmp_path_factory.mktemp("pretrained")
    flags = "--task cross_lingual_alignment --criterion amber --tokens-per-sample 64"
    flags += " --max-tokens 600 --max-update 1 --disable-validation"
    result = run("train", data_folder, "--save-dir", folder, *flags.split(), *SHAPE, *SETTINGS)
    ours = folder / "checkpoint_last.pt"
    weights = checkpoint(result, ours)["model"]
    old = {
        name.replace("encoder.", "decoder.", 1).replace("layernorm_embedding", "emb_layer_norm"): x
        for name, x in weights.items()
    }
    released = folder / "xlmr.pt"
    torch.save({"args": argparse.Namespace(arch="roberta_base"), "model": old}, released)
    return {
        "tagging": ["--finetune-from-model", ours],
        "classification": ["--restore-file", ours, *RESET],
        "qa": ["--finetune-from-model", released],
    }


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def runs(toy_tasks, starts, tmp_path_factory):
    """``kind -> (result, folder of its checkpoints, its data)``; each trained once."""
    done = {}

    def train(kind):
        if kind not in done:
            root = tmp_path_factory.mktemp(kind)
            data = shutil.copytree(toy_tasks[kind], root / "task")
            result = fine_tune(kind, data, root / "run", *starts[kind])
            assert result.returncode == 0, result.stderr
            done[kind] = (result, root / "run", data)
        return done[kind]

    return train


def valid_scores(result, metric):
    lines = [line for line in result.stdout.splitlines() if "| valid |" in line]
    return [float(re.search(rf"\| {metric} ([\d.]+)", line)[1]) for line in lines]


def test_learns_the_rule_and_keeps_the_best_and_the_last(runs, kind):
    result, folder, _ = runs(kind)
    metric = KINDS[kind][0]
    scores = valid_scores(result, metric)
    assert len(scores) == 4 and scores[-1] >= 95
    best, last = (read_torch_file(folder / f"checkpoint_{name}.pt") for name in ("best", "last"))
    assert best["extra_state"]["val_loss"] == pytest.approx(max(scores), abs=0.01)
    assert last["extra_state"]["train_iterator"]["epoch"] == 5
    assert last["extra_state"]["best"] == pytest.approx(max(scores), abs=0.01)
    assert "its weights are random" in result.stdout
    for name in {"tagging": ["accuracy", "precision", "recall"], "qa": ["em"]}.get(kind, []):
        assert valid_scores(result, name)[-1] >= 95
    assert "| padding " in result.stdout and "| loss " in result.stdout


def test_reloads_with_its_head_and_labels_and_without_its_training_data(runs, kind, tmp_path):
    _, folder, data = runs(kind)
    moved = shutil.copytree(data, tmp_path / "task", ignore=shutil.ignore_patterns("train.*"))
    loaded = load_model(folder / "checkpoint_best.pt", data=moved)
    stored = read_torch_file(folder / "checkpoint_best.pt")["model"]
    assert set(loaded.model.heads) == {kind} and loaded.task_state["kind"] == kind
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, stored[name])
    labels = {"tagging": ["O", "B-A", "I-A"], "classification": ["0", "1"], "qa": []}
    assert loaded.task_state["labels"] == labels[kind]
    assert loaded.task_settings.max_length == (16 if kind == "classification" else 24)


def test_validate_prints_the_score(runs):
    _, folder, data = runs("qa")
    path = folder / "checkpoint_last.pt"
    flags = ["--task", "xtreme_qa", "--path", path, "--batch-size", "3", "--cpu"]
    flags += ["--log-format", "simple", "--valid-subset", "valid,test", "--valid-languages", "de"]
    result = run("validate", data, *flags)
    assert result.returncode == 0, result.stderr
    for split in ("valid", "test"):
        line = next(x for x in result.stdout.splitlines() if f"| {split} | " in x)
        assert float(re.search(r"\| f1 ([\d.]+)", line)[1]) >= 95


def test_resuming_in_the_middle_of_an_epoch_equals_not_having_stopped(runs, starts, tmp_path):
    _, folder, data = runs("tagging")
    start = starts["tagging"]
    half = checkpoint(
        fine_tune("tagging", data, tmp_path, *start, "--max-update", "13"),
        tmp_path / "checkpoint_last.pt",
    )
    assert half["extra_state"]["train_iterator"]["iterations_in_epoch"] > 0
    rest = checkpoint(fine_tune("tagging", data, tmp_path, *start), tmp_path / "checkpoint_last.pt")
    whole = read_torch_file(folder / "checkpoint_last.pt")
    assert whole["optimizer_history"][-1]["num_updates"] == 32
    assert whole["model"].keys() == rest["model"].keys()
    for name, value in whole["model"].items():
        assert torch.equal(value, rest["model"][name]), name
    assert rest["extra_state"]["best"] == whole["extra_state"]["best"]


def test_a_fine_tuned_checkpoint_is_still_an_encoder_and_a_start(runs, data_folder, tmp_path):
    _, folder, _ = runs("classification")
    encoder = Encoder.load(folder / "checkpoint_best.pt", device="cpu")
    batches = list(encoder.sentence_vectors([[4, 5], [6]]))
    assert sum(len(vectors) for _, vectors in batches) == 2

    flags = "--task cross_lingual_alignment --criterion amber --tokens-per-sample 64"
    flags += " --max-tokens 600 --max-update 1 --disable-validation --lr 1e-12"
    start = ["--finetune-from-model", folder / "checkpoint_best.pt"]
    settings = [*SHAPE, *SETTINGS, *flags.split(), *start]
    result = run("train", data_folder, "--save-dir", tmp_path, *settings)
    weights = checkpoint(result, tmp_path / "checkpoint_last.pt")["model"]
    fine_tuned = read_torch_file(folder / "checkpoint_best.pt")["model"]
    assert {name for name in fine_tuned if name not in weights} == {
        f"heads.classification.{part}.{kind}"
        for part in ("dense", "out_proj")
        for kind in ("weight", "bias")
    }
    for name, value in weights.items():
        torch.testing.assert_close(value, fine_tuned[name], atol=1e-6, rtol=0)
    assert "leaving out the checkpoint's head for classification" in result.stdout


def test_precision_and_memory(toy_tasks, tmp_path):
    if "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq takes --bf16 for TPUs")
    flags = "--bf16 --checkpoint-activations --num-workers 2 --max-update 3".split()
    result = fine_tune("qa", toy_tasks["qa"], tmp_path, *flags)
    state = checkpoint(result, tmp_path / "checkpoint_last.pt")
    assert all(value.isfinite().all() for value in state["model"].values())


def test_a_mistake_ends_in_one_clear_line(toy_tasks, runs, tmp_path):
    _, folder, _ = runs("tagging")
    other = shutil.copytree(toy_tasks["tagging"], tmp_path / "task")
    for name in ("task.json", "labels.txt"):
        (other / name).write_text((other / name).read_text().replace("I-A", "I-B"))
    result = fine_tune(
        "tagging", other, tmp_path / "run", "--finetune-from-model", folder / "checkpoint_last.pt"
    )
    assert result.returncode != 0 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert re.match(r"fairseq-amber: error: .* with the labels O, B-A, I-A but .* I-B", last), last
