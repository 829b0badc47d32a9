"""The files of configs/: each trains, by fairseq-hydra-train, and has the recipes' settings."""

import functools
import os
import shlex
import subprocess

import pytest
from omegaconf import OmegaConf

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq

CONFIGS = USER_DIR.parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
TINY = (
    "+model.encoder_layers=1 +model.encoder_embed_dim=8 +model.encoder_ffn_embed_dim=8"
    " +model.encoder_attention_heads=2 +model.max_positions=64 common.cpu=true"
    " dataset.num_workers=0 optimization.max_update=2 lr_scheduler.warmup_updates=1"
).split()
ALIGNMENT = ["task.tokens_per_sample=64"]
UPDATES = ["task.update_examples=12", "dataset.max_tokens=600"]
TRANSPORT = ["task.pairs='de-en,tr-en'", "dataset.batch_size=8"]
OWN = {  # what a toy data folder needs
    "amber": [*ALIGNMENT, *UPDATES],
    "contrastive_alignment": [
        *(*ALIGNMENT, *UPDATES, "criterion.contrast_layer=1", "criterion.contrast_projection=8"),
        "criterion.contrast_queue=32",
    ],
    # the toy text has no words of Moses
    "ot_alignment": [*ALIGNMENT, *TRANSPORT, "task.word_boundaries=punctuation"],
    "l2_alignment": [*ALIGNMENT, *TRANSPORT],
    "xtreme_tagging": ["task.max_length=24"],
    "xtreme_classification": ["task.max_length=24"],
    "xtreme_qa": ["task.max_length=24", "task.doc_stride=8", "task.max_query_length=4"],
}


def test_every_config_is_tested():
    assert NAMES == sorted(OWN)


@pytest.fixture(scope="module")
def train(toy_tasks, data_folder, word_folder, link_folder, tmp_path_factory):
    """``(name, folder, *overrides, configs=CONFIGS)``: runs a tiny model in the folder, from a tiny
    checkpoint where the config asks for one."""

    def run(name, folder, data, *overrides, configs=CONFIGS):
        given = [f"common.user_dir={USER_DIR}", f"task.data={data}", *TINY, *OWN[name]]
        if name == "l2_alignment":
            given.append(f"criterion.l2_links={link_folder}")
        where = os.getcwd()
        os.chdir(folder)
        try:
            config = ["--config-dir", configs, "--config-name", name]
            return run_fairseq("hydra_train", *config, *given, *overrides)
        finally:
            os.chdir(where)

    @functools.lru_cache(maxsize=None)
    def start(data):
        folder = tmp_path_factory.mktemp("start")
        result = run("amber", folder, data)
        assert result.returncode == 0, result.stderr
        return folder / "checkpoints" / "checkpoint_last.pt"

    def train(name, folder, *overrides, **where):
        data, origin = word_folder, word_folder
        if name.startswith("xtreme"):
            data, origin = toy_tasks[name[len("xtreme_") :]], data_folder
        if name not in ("amber", "contrastive_alignment"):
            overrides += (f"model.from_pretrained={start(origin)}",)
        return run(name, folder, data, *overrides, **where)

    return train


@pytest.mark.parametrize("name", NAMES)
def test_a_config_trains(train, tmp_path, name):
    result = train(name, tmp_path)
    assert result.returncode == 0, result.stderr
    checkpoint = read_torch_file(tmp_path / "checkpoints" / "checkpoint_last.pt")
    assert checkpoint["optimizer_history"][-1]["num_updates"] == 2
    assert checkpoint["cfg"]["criterion"]["_name"] == name
    # mBERT's shape by its name, or that of the tiny checkpoint, which has it
    assert checkpoint["cfg"]["model"]["token_types"] == 2 * (name != "contrastive_alignment")
    # What the file says is what was trained with, but for what was overridden.
    told = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{name}.yaml"))
    given = {item.lstrip("+").split("=")[0] for item in [*TINY, *OWN[name]]}
    for group in ("task", "criterion", "optimizer", "lr_scheduler", "optimization", "checkpoint"):
        for key, value in told[group].items():
            if f"{group}.{key}" not in given and value not in ("???", None):
                assert checkpoint["cfg"][group][key] == value, f"{group}.{key}"


@pytest.mark.parametrize("group", ["task", "model", "criterion", "dataset", "lr_scheduler"])
def test_a_setting_that_does_not_exist_is_refused(train, tmp_path, group):
    told = OmegaConf.to_container(OmegaConf.load(CONFIGS / "amber.yaml"))
    told[group]["no_such_setting"] = 1
    OmegaConf.save(OmegaConf.create(told), tmp_path / "amber.yaml")
    result = train("amber", tmp_path, configs=tmp_path)
    assert result.returncode != 0 and "no_such_setting" in result.stderr


def recipe(name, folder, **variables):
    """The words of a paper's recipe in a dry run."""
    for language in "bg de el es fr".split():
        (folder / f"train.{language}-en.en").touch()
    done = subprocess.run(
        ["bash", str(CONFIGS.parent / "scripts" / f"{name}.sh"), str(folder), "dry"],
        env={**os.environ, "DRY_RUN": "1", "GPUS": "1", "MBERT": "mbert", **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [shlex.split(line) for line in done.stdout.splitlines() if line[:2] != "=="]


def test_amber_has_the_settings_of_its_recipe(tmp_path):
    told = OmegaConf.load(CONFIGS / "amber.yaml")
    (stage,) = (words for words in recipe("paper_amber", tmp_path) if "SYSTEM=+SA" in words)
    given = dict(word.split("=", 1) for word in stage if "=" in word)
    assert given["ADAM_BETAS"] == told.optimizer.adam_betas
    assert given["SCHEDULE"] == told.lr_scheduler._name and given["ARCH"] == told.model._name
    for name, value in {
        "UPDATES": told.optimization.max_update,
        "UPDATE_EXAMPLES": told.task.update_examples,
        "LENGTH": told.task.tokens_per_sample,
        "ALPHA": told.task.multilang_sampling_alpha,
        "PARALLEL_SHARE": told.task.parallel_share,
        "LR": told.optimization.lr[0],
        "WARMUP": told.lr_scheduler.warmup_updates,
        "ADAM_EPS": told.optimizer.adam_eps,
        "WEIGHT_DECAY": told.optimizer.weight_decay,
        "CLIP_NORM": told.optimization.clip_norm,
    }.items():
        assert float(given[name]) == value, name


@pytest.mark.parametrize("name, system", [("ot_alignment", "WordOT"), ("l2_alignment", "L2")])
def test_transport_and_links_have_the_settings_of_their_recipe(tmp_path, name, system):
    told = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{name}.yaml"))
    words = next(
        w for w in recipe("paper_ot", tmp_path, SYSTEMS=system, LINKS="x") if "train" in w[0]
    )
    given = dict(zip(words, words[1:]))
    config = {
        "--" + key.replace("_", "-"): value[0] if isinstance(value, list) else value
        for group in ("task", "criterion", "optimizer", "lr_scheduler", "optimization", "dataset")
        for key, value in told[group].items()
        if key != "_name"
    }
    for flag, of in (("arch", "model"), ("task", "task"), ("criterion", "criterion")):
        config[f"--{flag}"] = told[of]["_name"]
    for flag in ("optimizer", "lr-scheduler"):
        config[f"--{flag}"] = told[flag.replace("-", "_")]["_name"]
    for group in ("checkpoint", "common"):
        config.update({"--" + key.replace("_", "-"): v for key, v in told[group].items()})
    # what is of the machine and of the log alone
    own = "--tensorboard-logdir --save-dir --user-dir --cpu --l2-links --from-pretrained".split()
    for flag in {word for word in words if word.startswith("--")} - {*own}:
        assert flag in config, flag
        said, value = given.get(flag), config[flag]
        if isinstance(value, bool):
            assert value, flag
        else:
            assert said == str(value) or float(said) == float(value), flag
    # a default that the recipe leaves out is the only thing that the file may add
    added = {flag: value for flag, value in config.items() if flag not in words}
    assert not any(value is True for value in added.values()), added
    flags = "--pairs --adam-betas --lr --batch-size --update-freq --anchor-weight".split()
    assert {*flags} <= {*words}
