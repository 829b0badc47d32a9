"""What people report of fairseq-train with the wrong parts put together, or started by others."""

import argparse

import pytest
from fairseq import options
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.dataclass.initialize import add_defaults
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf

from fairseq_amber.models.shapes import SHAPES
from fairseq_programs import USER_DIR, run_fairseq
from toy_corpora import data_folder  # noqa: F401  (the toy one)


def train(data, *flags):
    return run_fairseq(
        "train",
        data,
        *f"--user-dir {USER_DIR} --task cross_lingual_alignment --tokens-per-sample 64".split(),
        *"--max-tokens 600 --optimizer adam --lr 1e-3 --max-update 1 --cpu --no-save".split(),
        *flags,
    )


def test_a_criterion_that_was_left_out(folder):
    """fairseq then takes cross_entropy, which trained something else with a perplexity near 1."""
    result = train(folder, "--arch", "amber_tiny")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "fairseq-amber: error: --criterion cross_entropy, which fairseq takes if none is given, "
        "does not go with --task cross_lingual_alignment: give --criterion amber or "
        "contrastive_alignment or l2_alignment or ot_alignment"
    )
    assert "Traceback" not in result.stderr


def test_an_architecture_of_stock_fairseq(folder):
    """roberta_base crashed with two criterions, and with a third trained its last layer whatever
    --ot-layer said."""
    result = train(folder, *"--arch roberta_base --criterion ot_alignment --ot-layer 2".split())
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "--arch roberta_base is another model: give one of this" in result.stderr


@pytest.mark.parametrize(
    "flags",
    [
        "--criterion amber --mlm-weight 1e38",
        "--criterion amber --sa-temperature 1e-40",
        "--criterion ot_alignment --ot-points subwords --ot-weight 1e38",
    ],
)
def test_a_run_that_diverges(folder, flags, tmp_path):
    """The repetition of the step ended in 'NoneType' object is not subscriptable, or the run in a
    FloatingPointError."""
    flags = f"--arch amber_tiny {flags} --disable-validation"
    result = train(folder, *flags.split(), "--save-dir", tmp_path)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    line = "error: training ended in update 1: gradients are NaN or infinite; lower --lr"
    assert line in result.stderr


@pytest.mark.parametrize(
    "criterion", ["amber", "contrastive_alignment", "l2_alignment", "ot_alignment"]
)
def test_a_criterion_of_ours_with_a_stock_task(criterion):
    """masked_lm with amber ended in KeyError: 'filler'."""
    registered = CRITERION_REGISTRY[criterion]
    cfg = OmegaConf.create({"_name": criterion})
    wanted = f"--criterion {criterion} goes with --task cross_lingual_alignment, not with masked_lm"
    with pytest.raises(SystemExit, match=wanted):
        registered(FairseqTask(argparse.Namespace(_name="masked_lm")), cfg)


@pytest.mark.parametrize("kind", ["tagging", "classification", "qa"])
def test_a_criterion_of_fine_tuning_with_another_task(kind, make_task):
    name = f"xtreme_{kind}"
    for task in (FairseqTask(argparse.Namespace(_name="masked_lm")), make_task()):
        with pytest.raises(SystemExit, match=f"--criterion {name} goes with --task {name}, not"):
            CRITERION_REGISTRY[name](task)


@pytest.mark.parametrize("name", SHAPES)
def test_an_architecture_named_in_a_configuration_of_hydra(name, make_task):
    """Every model._name built the base shape; a setting beside the name goes before the shape, also
    one that is the base's."""
    small = {"encoder_embed_dim": 32, "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 4}
    cfg = OmegaConf.create({"model": {"_name": name, **small}})
    add_defaults(cfg)
    model = make_task().build_model(cfg.model)
    assert model.depth == SHAPES[name]["encoder_layers"]
    assert model.max_positions() == SHAPES[name]["max_positions"]
    types = model.encoder.sentence_encoder.embed_segments
    assert (0 if types is None else len(types.weight)) == SHAPES[name].get("token_types", 0)
    cfg = OmegaConf.create({"model": {"_name": name, **small, "encoder_layers": 12}})
    add_defaults(cfg)
    assert make_task().build_model(cfg.model).depth == 12


@pytest.mark.parametrize("flag", ["--local_rank", "--local-rank", "--device-id"])
def test_the_rank_that_torch_s_launcher_gives(flag):
    """python -m torch.distributed.launch of torch 2 adds --local-rank, which was unknown."""
    parser = options.get_training_parser()
    args, rest = parser.parse_known_args([f"{flag}=3"])
    assert args.device_id == 3 and not rest
