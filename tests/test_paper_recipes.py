"""The settings of the papers' recipes, in the commands that they print."""

import re
import shlex

import pytest

OT_LANGUAGES = "bg de el es fr ru ar zh hi th tr ur sw vi".split()


@pytest.fixture
def printed(run_recipe, tmp_path):
    """``(name, **variables) ->`` the commands of a dry run, in words, and its other lines."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for language in OT_LANGUAGES:
        (raw / f"train.{language}-en.en").touch()

    def run(name, status=0, **variables):
        settings = dict(DRY_RUN="1", GPUS="1", XTREME="download", TATOEBA="tatoeba", MBERT="mbert")
        said = run_recipe(name, raw, "dry", status=status, **{**settings, **variables})
        if status:
            return said
        lines = said.splitlines()
        notes = [line for line in lines if line.startswith("== ")]
        return [shlex.split(line) for line in lines if line not in notes], notes

    return run


def calls_of(commands, program):
    """The calls of a program: its variables by name, and its arguments."""
    found = []
    for command in commands:
        if program in command:
            variables = dict(word.split("=", 1) for word in command if re.match(r"\w+=", word))
            found.append((variables, command[command.index(program) + 1 :]))
    return found


def value(arguments, flag):
    """What counts: the last one."""
    return [after for before, after in zip(arguments, arguments[1:]) if before == flag][-1]


def test_amber_is_trained_with_the_papers_sizes_and_berts_optimiser(printed, recipe_checkout):
    commands, notes = printed("paper_amber")
    stages = calls_of(commands, "scripts/pretrain_amber.sh")
    assert [arguments[1] for _, arguments in stages] == ["dry/mlm", "dry/tlm", "dry/wa", "dry/sa"]
    sizes = [(given["UPDATES"], given["UPDATE_EXAMPLES"]) for given, _ in stages]
    assert sizes == [("1000000", "8192"), *[("1000000", "2048")] * 3]
    weights = ["".join(given.get(term, "1") for term in ("TLM", "WA", "SA")) for given, _ in stages]
    assert weights == ["000", "100", "110", "111"]
    for given, _ in stages:
        names = "ARCH LR WARMUP SCHEDULE ADAM_BETAS ADAM_EPS WEIGHT_DECAY CLIP_NORM ALPHA".split()
        assert [given[name] for name in names] == (
            "amber_mbert|1e-4|10000|polynomial_decay|(0.9, 0.999)|1e-6|0.01|1.0|0.7".split("|")
        )
    starts = [given.get("RESTORE") for given, _ in stages]
    assert starts == [None, *["runs/dry/mlm/checkpoint_last.pt"] * 3]
    assert not (recipe_checkout / "runs" / "dry").exists()
    # 8,192 rows of 128; half of 2,048 are pairs, with three passes over each in the end
    assert "1048576 subwords over all passes, 64 steps of 16384" in notes[0]
    assert "524288 subwords over all passes, 32 steps of 16384" in notes[-1]


def test_the_printed_commands_hold_the_machines_settings(printed):
    machine = dict(MAX_TOKENS="777", PRECISION="--bf16", WORKERS="5", SAVE_EVERY="99")
    commands, _ = printed("paper_amber", VARIANTS="mlm", **machine)
    ((given, _),) = calls_of(commands, "scripts/pretrain_amber.sh")
    assert {name: given[name] for name in machine} == machine


def test_mbert_is_not_measured_with_another_shape(printed):
    commands, _ = printed("paper_amber", SCALE="tiny", VARIANTS="mlm")
    ((given, _),) = calls_of(commands, "scripts/xtreme.sh")
    assert given["ENCODERS"].split() == ["MLM=runs/dry/mlm/checkpoint_last.pt"]


def test_the_steps_of_an_update_are_shared_out_among_gpus(printed):
    _, notes = printed("paper_amber", GPUS="8", MAX_TOKENS="32768")
    assert notes[0].endswith(" 4 steps of 32768 subwords on 8 devices")


def test_amber_is_tested_on_the_languages_of_the_tables(printed):
    commands, _ = printed("paper_amber")
    ((given, _),) = calls_of(commands, "scripts/xtreme.sh")
    languages = dict(entry.split("=") for entry in given["TASK_LANGUAGES"].split())
    counts = {task: len(set(names.split(","))) for task, names in languages.items()}
    assert counts == {"pos": 13, "pawsx": 5, "xnli": 15}
    assert given["TASKS"].split() == list(languages) and given["SETTINGS"] == "xtreme"
    systems = [encoder.split("=")[0] for encoder in given["ENCODERS"].split()]
    assert systems == ["mBERT", "MLM", "+TLM", "+WA", "+SA"]
    retrievals = [words for words in commands if words[:2] == ["fairseq-amber", "retrieve"]]
    assert len(retrievals) == 2 * len(systems)
    assert {len(set(value(words, "--pairs").split(","))) for words in retrievals} == {14}
    assert {value(words, "--layer") for words in retrievals} == {"8", "-1"}


def test_without_mbert_a_vocabulary_of_120000_is_learnt(printed):
    commands, _ = printed("paper_amber", MBERT="")
    (prepare,) = (words for words in commands if words[:2] == ["fairseq-amber", "prepare"])
    assert value(prepare, "--vocab-size") == "120000" and "--tokenizer" not in prepare


@pytest.mark.parametrize(
    "system, languages, batch, accumulation, updates",
    [
        ("WordOT", 5, 24, 2, 5209),
        ("SubOT", 5, 24, 2, 5209),
        ("WordOT-small", 5, 8, 3, 10417),
        ("LargeWordOT", 14, 8, 3, 10417),
        ("L2", 5, 24, 2, 5209),
    ],
)
def test_transport_takes_the_papers_batches_for_one_epoch(
    printed, system, languages, batch, accumulation, updates
):
    commands, _ = printed("paper_ot", SYSTEMS=system)
    ((_, given),) = calls_of(commands, "fairseq-train")
    assert len(value(given, "--pairs").split(",")) == languages
    assert value(given, "--batch-size") == str(batch * languages)
    assert value(given, "--update-freq") == str(accumulation)
    assert value(given, "--max-update") == str(updates)
    assert value(given, "--warmup-updates") == str(updates // 10)
    flags = "--lr --lr-scheduler --adam-betas --adam-eps --weight-decay --clip-norm --anchor-weight"
    expected = "5e-5|fixed|(0.9, 0.98)|1e-9|0|0|1".split("|")
    assert [value(given, flag) for flag in flags.split()] == expected
    assert value(given, "--multilang-sampling-alpha") == "0"


def test_a_warm_up_in_updates_is_taken(printed):
    commands, _ = printed("paper_ot", SYSTEMS="WordOT", WARMUP="7")
    ((_, given),) = calls_of(commands, "fairseq-train")
    assert value(given, "--warmup-updates") == "7"


def test_words_of_transport_are_those_of_moses(printed):
    commands, _ = printed("paper_ot", SYSTEMS="WordOT SubOT")
    (prepare,) = (words for words in commands if words[:2] == ["fairseq-amber", "prepare"])
    assert value(prepare, "--word-boundaries") == "moses"
    word, subword = (given for _, given in calls_of(commands, "fairseq-train"))
    assert value(word, "--word-boundaries") == "moses" and "--word-boundaries" not in subword
    assert value(subword, "--ot-points") == "subwords" and "--ot-points" not in word


def test_transport_is_tested_with_three_seeds_on_seen_and_on_all_languages(printed):
    commands, _ = printed("paper_ot", SYSTEMS="WordOT")
    ((given, _),) = calls_of(commands, "scripts/xtreme.sh")
    assert given["TASKS"] == "xnli squad" and given["SEEDS"] == "1 2 3"
    assert given["TASK_LANGUAGES"] == ""
    seen = [words for words in commands if words[:2] == ["fairseq-amber", "evaluate"]]
    assert len(seen) == 2 * 2 * 3  # tasks, mBERT and WordOT, seeds
    languages = [value(words, "--languages") for words in seen]
    assert languages == ["en,bg,de,el,es,fr"] * 6 + ["en,de,el,es"] * 6


def test_gpus_that_cannot_share_an_update_are_refused(printed):
    commands, _ = printed("paper_ot", SYSTEMS="WordOT", GPUS="2")
    ((_, given),) = calls_of(commands, "fairseq-train")
    assert value(given, "--update-freq") == "1"
    said = printed("paper_ot", SYSTEMS="WordOT", GPUS="3", status=2)
    assert "WordOT has 2 batches an update, which 3 GPUs cannot share" in said


@pytest.mark.parametrize(
    "name, variables, message",
    [
        ("paper_amber", {"VARIANTS": "mlm nsp"}, "VARIANTS knows mlm, tlm, wa and sa, not nsp"),
        ("paper_ot", {"SYSTEMS": "Word"}, "LargeWordOT and L2, not Word"),
        ("paper_amber", {"SCHEDULE": "cosine"}, "SCHEDULE knows polynomial_decay and constant"),
        ("paper_amber", {"SCALE": "small"}, "SCALE knows paper and tiny, not small"),
        ("paper_amber", {"GPUS": "0"}, "GPUS=0 is below 1"),
        ("paper_amber", {"MAX_TOKENS": "16k"}, "MAX_TOKENS=16k is not a whole number"),
        ("paper_ot", {"TASKS": "mnli"}, "mlqa and tydiqa, not mnli"),
        ("paper_ot", {"WORD_BOUNDARIES": "mose"}, "punctuation, spaces and moses, not mose"),
        ("paper_ot", {"PAIRS": "1e3"}, "PAIRS=1e3 is not a whole number"),
        ("paper_ot", {"BATCH_SCALE": "0"}, "BATCH_SCALE=0 is below 1"),
        ("paper_ot", {"BATCH_SCALE": "9"}, "leaves nothing of the 8 pairs of WordOT-small"),
        ("paper_ot", {"WARMUP": "9", "WARMUP_SHARE": "9"}, "give WARMUP or WARMUP_SHARE"),
        ("paper_ot", {"LANGUAGES": "xx"}, "neither train.xx-en.en nor train.en-xx.en"),
    ],
)
def test_what_a_recipe_does_not_know_is_refused_by_name(printed, name, variables, message):
    assert message in printed(name, status=2, **variables)
