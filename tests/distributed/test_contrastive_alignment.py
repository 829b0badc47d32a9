"""The contrastive loss on several ranks, and in the real ``fairseq-train``.

Neither the cut of an update into ranks and micro-batches nor an interruption changes the result.
"""

from functools import partial

import pytest
import torch

from fairseq_amber.criterions.contrastive_alignment import ContrastiveAlignmentConfig
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq
from update_cuts import Cut, assert_the_cut_does_not_matter, distance, run_updates

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
SETTINGS = {
    "in batch": dict(contrast_symmetric=True, contrast_projection=5, contrast_normalize=True),
    "words": dict(contrast_units="words", contrast_projection=5),
    "words of both sides": dict(
        **START,
        mlm_weight=0.0,
        tlm_weight=0.0,
        contrast_units="words",
        contrast_negatives="strong",
        anchor_weight=0.1,
    ),
    "momentum": dict(contrast_momentum=0.5, contrast_queue=29),
    "momentum both ways": dict(
        mlm_weight=0.0,
        tlm_weight=0.1,
        contrast_momentum=0.5,
        contrast_queue=100,
        contrast_symmetric=True,
        contrast_projection=5,
    ),
}


def config(**settings):
    """At InfoXLM's temperature one candidate would outweigh all others of these models."""
    return ContrastiveAlignmentConfig(
        _name="contrastive_alignment", contrast_temperature=4.0, **settings
    )


@pytest.mark.distributed
@pytest.mark.parametrize("size", ["update_freq", "update_tokens", "update_examples"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_cut_does_not_matter(build_run, tmp_path, settings, size):
    run_of = partial(build_run, config(**SETTINGS[settings]))
    assert_the_cut_does_not_matter(run_of, size, tmp_path)


@pytest.mark.distributed
@pytest.mark.parametrize("settings", ["momentum", "words"])
def test_an_update_without_pairs_is_cut_too(build_run, tmp_path, settings):
    run_of = partial(build_run, config(**SETTINGS[settings]))
    assert_the_cut_does_not_matter(run_of, "few_examples", tmp_path)


def test_what_leaves_the_queue_matters(build_run, tmp_path):
    """If it did not, the test above would show nothing of the queue."""
    cut = Cut(1, 2, {"max_tokens": 900})
    runs = [
        run_updates(build_run(config(contrast_momentum=0.5, contrast_queue=size)), cut, tmp_path)
        for size in (5, 6)
    ]
    first, second = (distance(*gradients) for gradients in zip(*(r.gradients[:2] for r in runs)))
    assert first == 0 and second > 1e-3


FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300"
    " --optimizer adam --lr 0.01 --lr-scheduler inverse_sqrt --warmup-updates 4 --clip-norm 1"
    " --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()
MOMENTUM = ("--contrast-momentum", "0.8", "--contrast-queue", "31", "--contrast-symmetric")


def fairseq_train(
    data,
    save_dir,
    *flags,
    criterion="contrastive_alignment",
    processes=1,
):
    own = ["--save-dir", save_dir, *FLAGS, "--user-dir", USER_DIR, "--criterion", criterion]
    result = run_fairseq("train", data, *own, *flags, processes=processes)
    assert result.returncode == 0, result.stderr
    return result, read_torch_file(save_dir / "checkpoint_last.pt")


def assert_equal_to_the_bit(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        same = torch.equal(value, theirs[name]) if torch.is_tensor(value) else value == theirs[name]
        assert same, name


@pytest.mark.parametrize("projection", [[], ["--contrast-projection", "5"]])
def test_resuming_equals_not_having_stopped(data_folder, tmp_path, projection):
    flags = [*MOMENTUM, *projection, "--update-freq", "2", "--disable-validation", "--max-update"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    _, whole = fairseq_train(data_folder, straight, *flags, "9")
    _, half = fairseq_train(data_folder, stopped, *flags, "5")
    _, rest = fairseq_train(data_folder, stopped, *flags, "9")
    assert_equal_to_the_bit(whole["model"], rest["model"])
    assert_equal_to_the_bit(whole["criterion"], rest["criterion"])
    state = whole["criterion"]
    assert state["past.queue.keys"][:, 2].all()  # it is full, so it has wrapped
    moved = "past.encoder.model.encoder.sentence_encoder.layers.0.fc1.weight"
    for name in ("past.queue.targets", "past.queue.sources", moved):
        assert not torch.equal(half["criterion"][name], state[name])


@pytest.mark.distributed
def test_words_on_two_processes(word_folder, link_folder, tmp_path):
    if "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    flags = ["--contrast-units", "words", "--contrast-links", str(link_folder)]
    flags += ["--contrast-negatives", "strong", "--update-freq", "2", "--max-update", "3"]
    result, last = fairseq_train(
        word_folder, tmp_path, "--ddp-backend", "c10d", *flags, processes=2
    )
    assert last["optimizer_history"][-1]["num_updates"] == 3
    for name in ("mlm_loss", "contrast_loss", "contrast_accuracy"):
        assert name in result.stdout


@pytest.mark.distributed
@pytest.mark.parametrize(
    "backend, settings, stops",
    [
        ("c10d", MOMENTUM, ["2", "4"]),
        ("c10d", ["--mlm-weight", "0", "--tlm-weight", "0"], ["3"]),
        ("legacy_ddp", [*MOMENTUM, "--contrast-projection", "5"], ["3"]),
    ],
)
def test_two_processes_on_cpu(data_folder, tmp_path, backend, settings, stops):
    if backend == "c10d" and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    flags = ["--ddp-backend", backend, *settings, "--update-freq", "2", "--max-update"]
    for stop in stops:
        result, last = fairseq_train(data_folder, tmp_path, *flags, stop, processes=2)
    assert ("Loaded checkpoint" in result.stdout) is (len(stops) > 1)
    assert last["optimizer_history"][-1]["num_updates"] == int(stops[-1])
    for name in ("contrast_loss", "contrast_accuracy"):
        assert name in result.stdout


def test_amber_and_contrast_continue_from_each_other(data_folder, tmp_path):
    reset = ["--reset-optimizer", "--reset-dataloader", "--reset-meters", "--reset-lr-scheduler"]
    one = ["--max-update", "1", "--disable-validation"]
    fairseq_train(data_folder, tmp_path / "amber", *one, criterion="amber")
    restored = ["--restore-file", str(tmp_path / "amber" / "checkpoint_last.pt"), *reset]
    result, last = fairseq_train(data_folder, tmp_path / "contrast", *one, *MOMENTUM, *restored)
    assert "the checkpoint has no momentum encoder of this size" in result.stdout + result.stderr
    assert last["criterion"]["past.encoder._extra_state"] == {"started": True}
    restored[1] = str(tmp_path / "contrast" / "checkpoint_last.pt")
    fairseq_train(data_folder, tmp_path / "back", *one, *restored, criterion="amber")
