"""Settings of the recipes that are wrong, or that another setting would leave out."""

import gzip
from pathlib import Path

import pytest

from recipe_stand_ins import arguments, value


@pytest.mark.parametrize(
    "variable, value",
    [("UPDATES", "10k"), ("UPDATES", "many"), ("LR", "fast"), ("MLM", "one"), ("PROCESSES", "all")],
)
def test_a_number_of_pretraining_is_looked_at_first(recipe, raw, variable, value):
    """It ended in an error of bash, or of fairseq-train after the text was prepared."""
    said = recipe("pretrain_amber", raw, "name", status=2, **{variable: value})
    assert f"pretrain_amber: {variable}={value} is not a" in said
    assert not recipe.calls.with_name("calls.prepare").exists()


@pytest.mark.parametrize("name", ["", "..", "/tmp/x"])
def test_a_name_that_leads_elsewhere(recipe, raw, name):
    said = recipe("pretrain_amber", raw, name, status=2)
    assert f"NAME='{name}' does not name a folder" in said


def test_going_on_from_a_pretrained_model_takes_the_settings_of_pretraining(recipe, raw, tmp_path):
    """PREPARE_FLAGS and DATA were left out in silence."""
    model = tmp_path / "model.pt"
    model.touch()
    recipe("continue_xlmr", model, raw, "name", PREPARE_FLAGS="--deduplicate")
    (prepare,) = arguments(recipe.calls.with_name("calls.prepare"))
    assert "--deduplicate" in prepare
    assert value(prepare, "--tokenizer") == str(model)
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    *_, call = recipe("continue_xlmr", model, raw, "other", DATA=str(prepared))
    assert call[0] == str(prepared)
    for given in ("SENTENCEPIECE", "RESTORE", "VOCAB_SIZE"):
        said = recipe("continue_xlmr", model, raw, "name", status=2, **{given: "7"})
        assert f"{given}=7: PRETRAINED has its own" in said


def test_an_ablation_without_what_it_measures_on(recipe, raw, tmp_path):
    """It trained all models first."""
    settings = dict(RAW=str(raw), GOLD=str(raw), status=2)
    assert "TATOEBA=/retrieval/tatoeba does not exist" in recipe("ablation_amber", **settings)


def test_other_languages_than_those_that_were_gathered(recipe, raw, tmp_path):
    """The text of the first ones was taken in silence."""
    data = tmp_path / "data"
    for name in ("parallel/x", "mono", "retrieval/tatoeba"):
        (data / name).mkdir(parents=True)
    out = recipe.root / "runs" / "ablation"
    (out / "raw").mkdir(parents=True)
    (out / "raw" / "complete").touch()
    (out / "raw.settings").write_text("de of x\n")
    settings = dict(AMBER_DATA=str(data), LANGUAGES="fr", CORPORA="x", status=2)
    said = recipe("ablation_amber", **settings)
    assert "raw holds de of x, not fr of x: remove it" in said


def test_transport_on_compressed_text(recipe, raw, tmp_path):
    """It was said to be missing."""
    for side in ("de", "en"):
        path = raw / f"train.de-en.{side}"
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    model = tmp_path / "model.pt"
    model.touch()
    settings = dict(MBERT=str(model), LANGUAGES="de", SYSTEMS="WordOT", PAIRS="20", SEEDS="1")
    recipe("paper_ot", raw, "name", **settings)
    text = recipe.root / "runs" / "name" / "raw" / "train.de-en.de"
    assert len(text.read_text().splitlines()) == 20
    (raw / "train.de-en.de.gz").unlink()
    said = recipe("paper_ot", raw, "other", status=2, **settings)
    assert f"{raw}/train.de-en.de is missing" in said


@pytest.mark.parametrize("variable, value", [("LAYERS", "8 last"), ("LR", "x"), ("ALPHA", "a")])
def test_a_number_of_the_paper_is_looked_at_first(recipe, raw, variable, value):
    said = recipe("paper_amber", raw, "name", status=2, **{variable: value})
    assert f"paper_amber: {variable}" in said and not recipe.calls.exists()


def test_transfer_takes_the_settings_of_fine_tuning_from_a_file(recipe, tmp_path):
    model, settings = tmp_path / "model.pt", tmp_path / "settings.tsv"
    model.touch()
    settings.write_text("# task, settings\npos\tLR=7e-4\nner\tLR=1e-4\n")
    given = dict(ENCODERS=f"A={model}", XTREME=".", JOBS="1", SEEDS="1", SETTINGS=str(settings))
    (call,) = recipe("xtreme", TASKS="pos", **given)
    assert value(call, "--lr") == "7e-4"
    said = recipe("xtreme", TASKS="pos squad", status=2, **given)
    assert (
        f"SETTINGS={settings} is neither small nor xtreme nor a file with a line for squad" in said
    )


def test_transfer_says_which_test_sets_are_not_there(recipe, tmp_path):
    model, data = tmp_path / "model.pt", tmp_path / "data"
    for file in ("train-en", "test-inferred-en", "test-inferred-fr", "test-zh"):
        name = "dev-en" if file == "train-en" else file
        (data / "paraphrase" / "pawsx").mkdir(parents=True, exist_ok=True)
        (data / "paraphrase" / "pawsx" / f"{name}.tsv").write_text("a\tb\t1\n")
    for file in ("mnli-taxinli/train-en", "xnli/dev-en", "xnli/test-en", "xnli/test-fr"):
        (data / "nli" / file).parent.mkdir(parents=True, exist_ok=True)
        (data / "nli" / f"{file}.tsv").write_text("a\tb\tneutral\n")
    model.touch()
    given = dict(ENCODERS=f"A={model}", AMBER_DATA=str(data), JOBS="1", SEEDS="1", DEAR="")
    recipe("xtreme", TASKS="xnli pawsx", LANGUAGES="fr ja zh", **given)
    prepared = arguments(Path(f"{recipe.calls}.prepare"))
    tested = [[v.split("=")[0] for f, v in zip(c, c[1:]) if f == "--test"] for c in prepared]
    assert tested == [["en", "fr"], ["en", "fr", "zh"]]
    (recipe.root / ".venv" / "bin" / "fairseq-amber").write_text("exit 3\n")
    said = recipe("xtreme", TASKS="xnli", LANGUAGES="fr ja zh", NAME="other", status=3, **given)
    assert said == "".join(
        f"xtreme: AMBER_DATA has no test set of xnli in {name}\n" for name in ("ja", "zh")
    )
