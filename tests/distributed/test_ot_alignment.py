"""Optimal transport and linked words on several ranks, and in the real ``fairseq-train``.

Where each problem is a single pair, the cut of an update into ranks and micro-batches does not
matter; a problem of all pairs of a micro-batch is the same on every rank.
"""

from functools import partial

import pytest

from fairseq_amber.criterions.l2_alignment import L2AlignmentConfig
from fairseq_amber.criterions.transport_config import TransportConfig
from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq
from update_cuts import Cut, assert_the_cut_does_not_matter, distance, run_updates

pytestmark = pytest.mark.distributed

START = dict(finetune_from_model=None, restore_file="checkpoint_last.pt")
OT = dict(_name="ot_alignment", **START)
SINGLE = {
    "transport": TransportConfig(**OT, ot_scope="sentence"),
    "links": L2AlignmentConfig(_name="l2_alignment", **START),
}
OTHERS = {
    "sum": TransportConfig(
        **OT, ot_scope="sentence", ot_special_tokens=True, anchor_reduction="sum"
    ),
    "sinkhorn": TransportConfig(
        **OT,
        ot_solver="sinkhorn",
        ot_scope="sentence",
        ot_marginals="idf",
        ot_reach=0.5,
        ot_position_weight=0.1,
        ot_target_states="frozen",
        anchor_reduction="mse",
    ),
    "links as in Cao et al.'s code": L2AlignmentConfig(
        _name="l2_alignment",
        **START,
        l2_target_states="frozen",
        l2_special_tokens=True,
        l2_reduction="mse",
        anchor_reduction="mse",
    ),
}


@pytest.mark.parametrize("size", ["update_freq", "update_tokens", "update_examples"])
@pytest.mark.parametrize("criterion", SINGLE)
def test_the_cut_does_not_matter(build_run, tmp_path, criterion, size):
    assert_the_cut_does_not_matter(partial(build_run, SINGLE[criterion]), size, tmp_path)


@pytest.mark.parametrize("settings", OTHERS)
def test_the_cut_does_not_matter_with_other_settings(build_run, tmp_path, settings):
    run_of = partial(build_run, OTHERS[settings])
    assert_the_cut_does_not_matter(run_of, "update_examples", tmp_path)


def test_pooled_problems_are_those_of_a_micro_batch(build_run, tmp_path):
    """The same micro-batches on more ranks are the same update; single pairs are not."""
    gradients = []
    for scope in ("batch", "sentence"):
        run_of = partial(build_run, TransportConfig(**OT, ot_scope=scope))
        run = run_updates(run_of(), Cut(1, 4, {"max_tokens": 900}), tmp_path, updates=1)
        gradients += run.gradients
    assert distance(*gradients) > 1e-2
    run_of = partial(build_run, TransportConfig(**OT, ot_scope="batch"))
    assert_the_cut_does_not_matter(run_of, "update_freq", tmp_path)


FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --task cross_lingual_alignment --tokens-per-sample 64 --max-tokens 300"
    " --optimizer adam --lr 0.01 --lr-scheduler inverse_sqrt --warmup-updates 4 --clip-norm 1"
    " --seed 3 --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
    " --ddp-backend c10d --update-freq 2 --max-update 4"
).split()


@pytest.mark.parametrize(
    "criterion, flags, terms",
    [
        ("ot_alignment", "", ("ot_loss", "anchor_loss")),
        ("l2_alignment", "--l2-links LINKS", ("l2_loss", "anchor_loss")),
        ("amber", "--ot-weight 1 --anchor-weight 0.1 --max-tokens 600", ("wa_loss", "ot_loss")),
    ],
)
def test_two_processes_on_cpu(word_folder, link_folder, tmp_path, criterion, flags, terms):
    if "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    own = [*FLAGS, "--save-dir", tmp_path, "--user-dir", USER_DIR, "--criterion", criterion]
    own += flags.replace("LINKS", str(link_folder)).split()
    result = run_fairseq("train", word_folder, *own, processes=2)
    assert result.returncode == 0, result.stderr
    last = read_torch_file(tmp_path / "checkpoint_last.pt")
    assert last["optimizer_history"][-1]["num_updates"] == 4
    for term in terms:
        assert f"{term}=" in result.stdout
