"""Recipes that measure and fine-tune name a wrong value before they do anything."""

import pytest

from recipe_stand_ins import arguments


@pytest.mark.parametrize(
    "variables, message",
    [
        (dict(EPOCHS="abc"), "EPOCHS=abc is not a whole number"),
        (dict(BATCH="0"), "BATCH=0 is below 1"),
        (dict(UPDATE_FREQ="0"), "UPDATE_FREQ=0 is below 1"),
        (dict(LENGTH="x"), "LENGTH=x is not a whole number"),
        (dict(SEEDS="1 1"), "SEEDS has 1 twice"),
        (dict(SEEDS="1,2"), "SEEDS has 1,2, which is not a whole number"),
        (dict(SEEDS=" "), "SEEDS has nothing but blanks"),
    ],
)
def test_fine_tuning(recipe, task, variables, message):
    given = ["finetune_xtreme", task.parent / "model.pt", task, "name"]
    assert message in recipe(*given, status=2, **variables)
    assert not (recipe.root / "runs").exists() and not recipe.calls.exists()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../../x", "/tmp/x", "."])
def test_names_that_lead_out_of_runs(recipe, task, name):
    message = recipe("finetune_xtreme", task.parent / "model.pt", task, name, status=2)
    assert "does not name a folder within runs" in message
    message = recipe("finetune_xtreme", task, task, "name", status=2)
    assert "is neither a checkpoint nor a pretrained folder" in message
    assert not recipe.calls.exists()


def test_a_run_of_other_settings_is_not_taken_for_this_one(recipe, task):
    """A second checkpoint under the name of the first was answered with the scores of the first."""
    checkpoint = task.parent / "model.pt"
    out = recipe.root / "runs" / "name" / "1"
    given = ["finetune_xtreme", checkpoint, task, "name"]

    def trained():
        return len(arguments(recipe.calls))

    out.mkdir(parents=True)
    (out / "settings").write_text("wrong values, under which nothing has begun")
    recipe(*given)
    recipe(*given)
    assert trained() == 1
    recipe(*given, TEST_LANGUAGES="de")  # tested again
    assert len(arguments(recipe.calls.with_suffix(".evaluate"))) == 2
    assert "run of other settings" in recipe(*given, status=2, LR="3")
    (out / "complete").unlink()
    (out / "checkpoint_last.pt").touch()
    checkpoint.write_text("another")
    assert "run of other settings" in recipe(*given, status=2)


@pytest.mark.parametrize(
    "variables, message",
    [
        (dict(SEEDS="1 1"), "SEEDS has 1 twice"),
        (dict(TASKS="pos pos"), "TASKS has pos twice"),
        (dict(TASK_LANGUAGES="udpos=de"), "TASK_LANGUAGES has udpos=de, which is not a task"),
        (dict(DEAR="squat"), "DEAR knows pos,"),
        (dict(JOBS="0"), "JOBS=0 is below 1"),
        (dict(NAME="../x"), "NAME='../x' does not name a folder within runs"),
        (dict(ENCODERS="A=model.pt A=other.pt"), "ENCODERS: A is there twice"),
        (dict(ENCODERS="a/b=model.pt"), "ENCODERS: 'a/b' is no name"),
    ],
)
def test_all_tasks(recipe, variables, message):
    for name in ("model.pt", "other.pt"):
        (recipe.root / name).touch()
    given = dict(ENCODERS="A=model.pt", XTREME=".", TASKS="pos", JOBS="1")
    assert message in recipe("xtreme", status=2, **{**given, **variables})
    assert not (recipe.root / "runs").exists() and not (recipe.root.parent / "x").exists()


def test_tasks_that_were_prepared_from_other_files(recipe):
    """Another XTREME was answered with the scores on the first one's files."""
    (recipe.root / "model.pt").touch()
    folder = recipe.root / "data-bin" / "x-pos"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text("{}")
    folder.with_suffix(".sources").write_text("--xtreme\n/elsewhere\n")
    given = dict(ENCODERS="A=model.pt", XTREME=".", TASKS="pos", JOBS="1", NAME="x")
    assert "was prepared from other files" in recipe("xtreme", status=2, **given)


@pytest.mark.parametrize(
    "variables, message",
    [
        (dict(UPDATES="x"), "UPDATES=x is not a whole number"),
        (dict(BATCH="0"), "BATCH=0 is below 1"),
        (dict(TUNE_PAIRS="x"), "TUNE_PAIRS=x is not a whole number"),
        (dict(SYSTEMS="l2 l2"), "SYSTEMS has l2 twice"),
        (dict(SEEDS="one"), "SEEDS has one, which is not a whole number"),
        (dict(TUNE="scripts"), "has no folder parallel"),
    ],
)
def test_transport(recipe, variables, message):
    assert message in recipe("ot_finetune", status=2, RAW="scripts", **variables)
    assert not (recipe.root / "runs").exists()


@pytest.mark.parametrize(
    "systems, variables, message",
    [
        (["A=model.pt", "A=other.pt"], {}, "NAME: A is there twice"),
        (["model.pt"], {}, "model.pt is not NAME=CHECKPOINT"),
        (["../A=model.pt"], {}, "NAME: '../A' is no name"),
        (["A=model.pt"], dict(METHODS="similarity guess"), "METHODS knows similarity,"),
        (["A=model.pt"], dict(PLOT="0"), "PLOT=0 is below 1"),
        (["A=scripts"], {}, "scripts is neither a checkpoint nor a pretrained folder"),
    ],
)
def test_measuring(recipe, systems, variables, message):
    for name in ("model.pt", "other.pt"):
        (recipe.root / name).touch()
    assert message in recipe("measure", "out", *systems, status=2, GOLD="scripts", **variables)
    assert not (recipe.root / "out").exists()


def test_a_checkpoint_that_has_changed_is_measured_again(recipe):
    """A checkpoint trained further was answered with the scores of its first measurement."""
    program = recipe.root / ".venv" / "bin" / "fairseq-amber"
    program.write_text('#!/usr/bin/env bash\necho "$1" >>"$CALLS"\n')
    (recipe.root / "model.pt").touch()
    given = ["measure", "out", "A=model.pt"]
    variables = dict(GOLD="scripts", GOLD_PAIRS="de-en", METHODS="similarity")
    said = [recipe(*given, **variables) and recipe.calls.read_text().count("align")]
    said.append(recipe(*given, **variables) and recipe.calls.read_text().count("align"))
    (recipe.root / "model.pt").write_text("another")
    said.append(recipe(*given, **variables) and recipe.calls.read_text().count("align"))
    assert said == [2, 2, 4]
