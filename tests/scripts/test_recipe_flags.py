"""What the recipes give to fairseq-train, seen by stand-ins of the programs that they call."""

import shutil
from pathlib import Path

import pytest

from recipe_stand_ins import arguments, value


def pretrain(recipe, raw, **variables):
    (call,) = recipe("pretrain_amber", raw, "name", **variables)
    return call


def finetune(recipe, task, **variables):
    (call,) = recipe("finetune_xtreme", task.parent / "model.pt", task, "name", **variables)
    return call


def transport(recipe, raw, system="word-batch", **variables):
    for name in ("model.pt", "gold", "tatoeba"):
        (recipe.root / name).touch()
    settings = dict(RAW=str(raw), CHECKPOINT="model.pt", SYSTEMS=system, SEEDS="1", JOBS="1")
    settings.update(GOLD_PAIRS="de-en", GOLD="gold", TATOEBA="tatoeba", TUNE_PAIRS="20")
    (call,) = recipe("ot_finetune", **{**settings, **variables})
    return call


OPTIMISER = ("--adam-betas", "--adam-eps", "--weight-decay", "--clip-norm", "--warmup-updates")


def test_the_optimisers_of_the_recipes_are_as_documented(recipe, raw, task):
    def found(call):
        return [value(call, flag) for flag in (*OPTIMISER, "--lr", "--lr-scheduler")]

    decay = "polynomial_decay"
    expected = ["(0.9, 0.98)", "1e-6", "0.01", "1.0", "10000", "5e-4", decay]
    assert found(pretrain(recipe, raw)) == expected
    recipe.calls.unlink()
    expected = ["(0.9, 0.999)", "1e-8", "0", "1.0", "0", "2e-5", decay]
    assert found(finetune(recipe, task)) == expected
    recipe.calls.unlink()
    expected = ["(0.9, 0.999)", "1e-8", "0", "1.0", "18", "2e-4", decay]
    assert found(transport(recipe, raw)) == expected


@pytest.mark.parametrize("name", ["pretrain", "finetune", "transport"])
def test_adam_and_its_schedule_are_variables(recipe, raw, task, name):
    variables = dict(ADAM_BETAS="(0.1, 0.2)", ADAM_EPS="1e-3", WEIGHT_DECAY="0.5", CLIP_NORM="3")
    variables.update(SCHEDULE="constant", WARMUP="7")
    run = dict(pretrain=pretrain, finetune=finetune, transport=transport)[name]
    call = run(recipe, task if name == "finetune" else raw, **variables)
    assert [value(call, flag) for flag in OPTIMISER] == ["(0.1, 0.2)", "1e-3", "0.5", "3", "7"]
    assert value(call, "--lr-scheduler") == "fixed" and "--total-num-update" not in call


GIVEN = {  # name of a variable -> what a user gives, and a flag that the recipe gives too
    "MODEL_FLAGS": ("--arch amber_large", "--arch"),
    "CRITERION_FLAGS": ("--sa-weight 9", "--sa-weight"),
    "OPTIMIZER_FLAGS": ("--adam-eps 9", "--adam-eps"),
    "FLAGS": ("--seed 9", "--seed"),
}


@pytest.mark.parametrize("name", ["pretrain", "finetune", "transport"])
@pytest.mark.parametrize("variable", GIVEN)
def test_what_a_user_gives_wins(recipe, raw, task, name, variable):
    if variable == "CRITERION_FLAGS" and name != "pretrain":
        pytest.skip("the recipe has none")
    given, flag = GIVEN[variable]
    run = dict(pretrain=pretrain, finetune=finetune, transport=transport)[name]
    call = run(recipe, task if name == "finetune" else raw, **{variable: given})
    assert call.count(flag) == 2
    assert value(call, flag) == given.split()[1]


def test_general_flags_win_over_special_ones(recipe, raw):
    call = pretrain(recipe, raw, MODEL_FLAGS="--dropout 1", FLAGS="--dropout 2")
    assert value(call, "--dropout") == "2"


def test_an_unknown_schedule_ends_a_recipe_before_it_trains(recipe, raw):
    said = recipe("pretrain_amber", raw, "name", SCHEDULE="cosine", status=2)
    assert said == "SCHEDULE=cosine is neither polynomial_decay nor constant\n"
    assert not (recipe.root / "runs").exists()


def test_paths_are_relative_to_where_the_user_stands(recipe, raw):
    # the fixture starts a recipe in its checkout: a folder above it is another place than its own
    (raw.parent / "start.pt").touch()
    (call,) = recipe("pretrain_amber", "../raw text", "name", RESTORE="../start.pt")
    assert value(call, "--from-pretrained") == str(raw.parent / "start.pt")
    (prepared,) = arguments(Path(f"{recipe.calls}.prepare"))
    assert prepared[1] == str(raw)
    assert value(prepared, "--tokenizer") == str(raw.parent / "start.pt")


def test_a_path_that_is_not_there_is_named(recipe, raw):
    said = recipe("pretrain_amber", raw, "name", RESTORE="start.pt", status=2)
    assert said == "pretrain_amber: RESTORE=start.pt does not exist\n"


@pytest.fixture
def folder(recipe, raw):
    """A pretrained folder, as far as the recipes look at it, with blanks in its path."""
    path = raw.parent / "a published model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_text("weights")
    return path


def begins_as(folder, call):
    return value(call, "--arch") == "amber" and value(call, "--from-pretrained") == str(folder)


def test_a_pretrained_folder_stands_for_a_checkpoint_and_gives_the_vocabulary(recipe, raw, folder):
    prepared = Path(f"{recipe.calls}.prepare")
    for run in (
        lambda: pretrain(recipe, raw, RESTORE=str(folder)),
        lambda: recipe("continue_xlmr", folder, raw, "other")[0],
        lambda: transport(recipe, raw, CHECKPOINT=str(folder)),
    ):
        call = run()
        assert begins_as(folder, call) and "--encoder-layers" not in call
        assert value(arguments(prepared)[0], "--tokenizer") == str(folder)
        recipe.calls.unlink()
        prepared.unlink()


def test_a_language_model_head_learns_before_its_encoder(recipe, raw, folder):
    given = dict(RESTORE=str(folder), HEAD_UPDATES="40", HEAD_LR="3e-3", UPDATES="7")
    head, whole = recipe("pretrain_amber", raw, "name", **given)
    assert (
        begins_as(folder, head) and "--freeze-encoder" in head and "--freeze-encoder" not in whole
    )
    flags = ("--lr", "--max-update", "--total-num-update", "--warmup-updates", "--save-dir")
    assert [value(head, flag) for flag in flags] == ["3e-3", "40", "40", "4", "runs/name/head"]
    assert [value(whole, flag) for flag in flags] == ["5e-4", "7", "7", "0", "runs/name"]
    weights = ("--mlm-weight", "--tlm-weight", "--wa-weight", "--sa-weight")
    assert [value(head, flag) for flag in weights] == ["1", "1", "0", "0"]
    assert [value(whole, flag) for flag in weights] == ["1", "1", "1", "1"]
    assert value(whole, "--from-pretrained") == "runs/name/head/checkpoint_last.pt"
    assert len(recipe("pretrain_amber", raw, "name", **given)) == 3  # it learns once
    said = recipe("pretrain_amber", raw, "other", HEAD_UPDATES="40", status=2)
    assert said == "pretrain_amber: HEAD_UPDATES=40 is for a RESTORE: give one\n"


def test_the_text_to_tune_on_has_the_vocabulary_of_the_data_folder(recipe, raw, folder):
    transport(recipe, raw, CHECKPOINT=str(folder))
    first, second = arguments(Path(f"{recipe.calls}.prepare"))
    assert value(second, "--tokenizer") == first[2]


@pytest.mark.parametrize("name, variable", [("pretrain_amber", "RESTORE"), ("ot_finetune", "")])
def test_a_vocabulary_of_another_size_is_refused(recipe, raw, folder, name, variable):
    given = ["pretrain_amber", raw, "name"] if variable else ["ot_finetune"]
    variable = variable or "CHECKPOINT"
    settings = {variable: str(folder), "VOCAB_SIZE": "500", "RAW": str(raw)}
    said = recipe(*given, status=2, **settings)
    assert (
        said == f"{name}: VOCAB_SIZE=500: {variable} has its own vocabulary; leave VOCAB_SIZE out\n"
    )


def test_a_folder_is_fine_tuned_until_it_is_another_one(recipe, task, folder):
    given = ["finetune_xtreme", folder, task, "name"]
    (call,) = recipe(*given)
    assert begins_as(folder, call)
    assert len(recipe(*given)) == 1
    (recipe.root / "runs" / "name" / "1" / "complete").unlink()
    (recipe.root / "runs" / "name" / "1" / "checkpoint_last.pt").touch()
    (folder / "model.safetensors").write_text("others")
    assert "run of other settings" in recipe(*given, status=2)


def test_tasks_have_the_vocabulary_of_the_first_encoder(recipe, folder):
    first = folder.rename(folder.with_name("published"))  # a list of encoders has no blanks
    last = folder.with_name("last.pt")
    last.touch()
    given = dict(ENCODERS=f"A={first} B={last}", XTREME=".", TASKS="pos", JOBS="1", SEEDS="1")
    calls = recipe("xtreme", NAME="y", **given)
    assert [begins_as(model, call) for model, call in zip((first, last), calls)] == [True, True]
    (prepared,) = arguments(Path(f"{recipe.calls}.prepare"))
    assert prepared[:3] == ["prepare-task", "pos", "data-bin/y-pos"]
    assert value(prepared, "--tokenizer") == str(first)


def test_fine_tuning_is_tested_on_the_languages_that_are_named(recipe, task):
    finetune(recipe, task, TEST_LANGUAGES="de,fr")
    (call,) = arguments(Path(f"{recipe.calls}.evaluate"))
    assert value(call, "--languages") == "de,fr"


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_fine_tuned_checkpoints_are_kept_unless_the_user_says_no(recipe, task, keep):
    program = recipe.root / ".venv" / "bin" / "fairseq-train"
    made = (
        'while [ "$1" != --save-dir ]; do shift; done; touch "$2/checkpoint_"{best,last,1_50}.pt\n'
    )
    program.write_text(program.read_text() + made)
    finetune(recipe, task, KEEP_CHECKPOINTS=keep)
    left = {path.name for path in (recipe.root / "runs" / "name" / "1").glob("*.pt")}
    assert len(left) == (3 if keep == "yes" else 0)
    finetune(recipe, task, KEEP_CHECKPOINTS=keep)  # it is not trained again


def test_text_to_tune_on_is_spread_over_the_corpus(recipe, raw):
    transport(recipe, raw)
    taken = [
        (recipe.root / "runs" / "ot" / "raw-tune" / f"train.de-en.{side}").read_text().split()
        for side in ("de", "en")
    ]
    assert taken[0] == taken[1] and len(taken[0]) == 20
    assert {int(line) // 10 for line in taken[0]} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("variable", ["ADAM_EPS", "SCHEDULE", "WARMUP", "WORD_BOUNDARIES"])
def test_runs_of_other_settings_are_not_continued(recipe, raw, variable):
    transport(recipe, raw)
    other = dict(ADAM_EPS="1", SCHEDULE="constant", WARMUP="3", WORD_BOUNDARIES="spaces")[variable]
    said = recipe("ot_finetune", RAW=str(raw), CHECKPOINT="model.pt", status=2, **{variable: other})
    assert "runs/ot holds runs of other settings" in said


def test_the_boundaries_of_words_are_given_to_systems_of_words_alone(recipe, raw):
    flag = "--word-boundaries"
    assert flag not in transport(recipe, raw)
    variables = dict(WORD_BOUNDARIES="moses")
    for system, expected in (("word-sentence", ["moses"]), ("subword-batch", [])):
        recipe.calls.unlink()
        shutil.rmtree(recipe.root / "runs")
        shutil.rmtree(recipe.root / "data-bin")
        Path(f"{recipe.calls}.prepare").unlink()
        call = transport(recipe, raw, system, **variables)
        assert [call[n + 1] for n, word in enumerate(call) if word == flag] == expected
        prepared = arguments(Path(f"{recipe.calls}.prepare"))
        assert len(prepared) == 2 and all(value(call, flag) == "moses" for call in prepared)


@pytest.mark.parametrize(
    "system, flags",
    [
        ("l2", dict(l2_units="subwords")),
        ("l2-frozen", dict(l2_units="subwords", l2_target_states="frozen")),
        ("contrast-weak", dict(contrast_units="words", contrast_negatives="weak", mlm_weight="0")),
        ("contrast-strong", dict(contrast_negatives="strong", tlm_weight="0")),
    ],
)
def test_baselines_of_words_read_the_encoders_own_links(recipe, raw, system, flags):
    call = transport(recipe, raw, system)
    kind = system.partition("-")[0]
    assert {name: value(call, "--" + name.replace("_", "-")) for name in flags} == flags
    assert value(call, f"--{kind}-links").endswith("links")
    assert ("--l2-special-tokens" in call) == (system == "l2-frozen")


@pytest.mark.parametrize(
    "system", ["wa-attention", "wa-states", "wa-states-joint", "wa-self", "wa-self-joint"]
)
def test_readings_of_word_alignment_are_trained_alone(recipe, raw, system):
    call = transport(recipe, raw, system)
    assert value(call, "--criterion") == "amber"
    weights = [value(call, f"--{term}-weight") for term in ("mlm", "tlm", "sa")]
    assert weights == ["0", "0", "0"] and "--wa-weight" not in call
