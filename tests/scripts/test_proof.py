"""The proof on a pretrained encoder: what is trained, and that development pairs alone choose."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recipe_stand_ins import arguments, value

ROOT = Path(__file__).resolve().parents[2]
# Writes its arguments down, and what the recipe looks for afterwards. On development pairs layer 7
# is best with softmax, layer 8 with similarity.
AMBER = """#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$CALLS.amber"; printf '\\n' >>"$CALLS.amber"
case $1 in
  user-dir) echo /plugin ;;
  convert | prepare) mkdir -p "$3"; touch "$3/model.pt" ;;
  aer)
    case $2 in *softmax) layers='"7": 10.0, "8": 12.0' ;; *) layers='"7": 14.0, "8": 11.0' ;; esac
    echo '{"per_language": {"en-es": {"layers": {'$layers'}}}}' >"${@: -1}" ;;
esac
"""
TRAIN = """#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$CALLS"; printf '\\n' >>"$CALLS"
while [ "$1" != --save-dir ]; do shift; done
touch "$2/checkpoint_last.pt"
"""
PYTHON = f"""#!/usr/bin/env bash
case $1 in -c) echo 0 ;; *) exec '{sys.executable}' "$@" ;; esac
"""


@pytest.fixture
def data(tmp_path):
    """AMBER_DATA, as far as the recipe looks at it."""
    root = tmp_path / "data"
    for name, text in {
        "mono/fr.txt": "chat\n",
        "mono/en.txt": "cat\n",
        "parallel/tatoeba-anki/train.fr-en.fr": "chat\nchien\n",
        "parallel/tatoeba-anki/train.fr-en.en": "cat\ndog\n",
        "align_gold/xl-wa/dev.en-es.en": "cat\n",
        "align_gold/wpt05-en-hi/test.en-hi.en": "dog\n",
        "align_gold/awesome-align-examples/test.ja-en.gold": "0-0\n",
        "align_gold/awesome-align-examples/test.ro-en.gold": "0-0\n",
        "align_gold/awesome-align-examples/test.zh-en.gold": "0-0\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def prove(recipe, data, tmp_path):
    """``(part, **variables) ->`` the calls of fairseq-train, and those of fairseq-amber."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    programs = recipe.root / ".venv" / "bin"
    (programs / "fairseq-amber").write_text(AMBER)
    (programs / "fairseq-train").write_text(TRAIN)
    (programs / "python").write_text(PYTHON)
    settings = dict(
        AMBER_DATA=str(data), LANGUAGES="fr", CORPORA="tatoeba-anki", SETS="align_gold", JOBS="1"
    )

    def run(*parts, **variables):
        given = {**settings, "SYSTEMS": "wa-states l2", "SEEDS": "1 2", **variables}
        said = recipe("proof", folder, *parts, **given)
        if given.get("status"):
            return said
        return said, arguments(recipe.calls.with_name("calls.amber"))

    run.programs, run.calls = programs, recipe.calls
    run.out = recipe.root / "runs" / "proof"
    return run


def compared(call):
    return [(a, b) for flag, a, b in zip(call, call[1:], call[2:]) if flag == "--compare"]


def test_development_pairs_choose_before_a_test_pair_is_read(prove):
    (head, *trained), called = prove("words")
    assert value(head, "--save-dir") == "runs/proof/head" and "--freeze-encoder" in head
    assert value(head, "--from-pretrained") == "runs/proof/start"
    assert [value(head, flag) for flag in ("--lr", "--max-update")] == ["5e-3", "1000"]
    assert [(value(c, "--save-dir"), value(c, "--seed")) for c in trained] == [
        (f"runs/proof/{system}-{seed}", seed) for seed in "12" for system in ("wa-states", "l2")
    ]
    first, second = trained[:2]
    assert value(first, "--wa-layer") == value(second, "--l2-layer") == "8"
    assert value(second, "--l2-links") == "runs/proof/links"
    starts = {value(call, "--from-pretrained") for call in trained}
    assert starts == {"runs/proof/head/checkpoint_last.pt"}
    assert {value(call, "--lr") for call in trained} == {"2e-4"}
    assert not any("--freeze-encoder" in call for call in trained)
    aligned = [call for call in called if call[0] == "align" and "--folder" in call]
    splits = [value(call, "--split") for call in aligned]
    # three methods; two systems of two seeds, and none; and those as written
    assert splits == ["dev"] * 15 + ["test"] * 10
    assert {(value(c, "--method"), value(c, "--layer")) for c in aligned[15:]} == {("softmax", "7")}
    assert not any("--as-written" in call or "--pairs" in call for call in aligned[:20])
    assert all("--as-written" in call for call in aligned[20:])
    assert {value(call, "--pairs") for call in aligned[20:]} == {"ja-en,zh-en"}
    reports = [call for call in called if call[0] == "report"]
    outputs = [f"runs/proof/words/{name}" for name in ("report", "as-written")]
    assert [call[-1] for call in reports] == outputs
    assert [compared(call) for call in reports] == [[("none", "wa-states"), ("none", "l2")]] * 2
    chosen = (prove.out / "chosen").read_text().splitlines()
    assert chosen == [f"{name}\tsoftmax\t7\t10.00" for name in ("l2", "none", "wa-states")]


def test_the_same_command_goes_on(prove):
    trained, called = prove("words")
    again, called_again = prove("words")
    assert again == trained
    done = [call for call in called if call[0] in ("align", "prepare", "convert")]
    assert [call for call in called_again if call[0] in ("align", "prepare", "convert")] == done
    assert "holds a run of other settings" in prove("words", UPDATES="7", status=2)


def test_an_encoder_with_a_language_model_head_needs_no_other(prove):
    trained, _ = prove("words", HEAD_UPDATES="0", SEEDS="1")
    assert [value(call, "--from-pretrained") for call in trained] == ["runs/proof/start"] * 2


def test_a_choice_is_kept_when_systems_are_added(prove):
    prove("words", SYSTEMS="l2", SEEDS="1")
    chosen = prove.out / "chosen"
    chosen.write_text(chosen.read_text().replace("l2\tsoftmax\t7", "l2\tsimilarity\t8"))
    for kind in ("alignments", "as-written"):
        (prove.out / "steps" / f"{kind}-l2-1.complete").unlink()
    _, called = prove("words", SYSTEMS="l2 wa", SEEDS="1")
    names = [line.split("\t")[:3] for line in chosen.read_text().splitlines()]
    assert names == [["l2", "similarity", "8"], ["none", "softmax", "7"], ["wa", "softmax", "7"]]
    aligned = [value(c, "--method") for c in called if "--as-written" not in c and "test" in c]
    assert aligned[-2:] == ["similarity", "softmax"]


def test_an_alignment_that_fails_is_not_taken_for_done(prove):
    program = prove.programs / "fairseq-amber"
    whole = program.read_text()
    program.write_text(whole.replace("case $1 in", "case $1 in\n  aer) exit 2 ;;", 1))
    prove("words", SYSTEMS="l2", SEEDS="1", status=123)
    assert not list((prove.out / "steps").glob("dev-alignments-*.complete"))
    program.write_text(whole)
    prove("words", SYSTEMS="l2", SEEDS="1")
    assert (prove.out / "chosen").exists()


def test_pairs_that_are_left_out_are_not_read_as_written(prove):
    _, called = prove("words", SYSTEMS="l2", SEEDS="1", GOLD_PAIRS="ro-en,zh-en")
    pairs = [value(c, "--pairs") for c in called if c[0] == "align" and "test" in c]
    assert pairs == ["ro-en,zh-en"] * 2 + ["zh-en"] * 2


def test_retrieval_and_transfer_take_what_was_trained(prove):
    _, called = prove("retrieval", TRANSFER="l2", TATOEBA_PAIRS="fra-eng")
    encoders = [call[1] for call in called if call[0] == "retrieve"]
    assert encoders == ["runs/proof/start", "runs/proof/l2-1/checkpoint_last.pt"]
    assert {value(call, "--prefix") for call in called if call[0] == "retrieve"} == {"query: "}
    _, called = prove("retrieval", TRANSFER="l2", PREFIX="", NAME="bare")
    assert not any("--prefix" in call for call in called if "runs/bare" in " ".join(call))
    assert not any(value(c, "--split") == "test" for c in called if c[0] == "align")


def test_transfer_has_seeds_of_its_own(prove):
    recipe = prove.programs.parents[1] / "scripts" / "xtreme.sh"
    recipe.write_text(
        'env -0 >"$CALLS.transfer"; for entry in $ENCODERS; do for seed in $SEEDS; do\n'
        "made=runs/$NAME/pos-${entry%%=*}/$seed; mkdir -p $made\n"
        """echo '{"per_language": {}}' >$made/test.json; done; done\n"""
    )
    _, called = prove(
        "transfer",
        SYSTEMS="l2 control",
        SEEDS="2 3",
        TRANSFER="l2 control",
        TASK_SEEDS="1 2",
        TASKS="pos",
        UPDATES="6",
    )
    given = prove.calls.with_name("calls.transfer").read_text().split("\0")
    given = dict(line.partition("=")[::2] for line in given)
    encoders = dict(entry.split("=") for entry in given["ENCODERS"].split())
    trained = {name: f"runs/proof/{name}-2/checkpoint_last.pt" for name in ("l2", "control")}
    assert encoders == {"none": "runs/proof/start", **trained}
    assert (given["SEEDS"], given["TASKS"]) == ("1 2", "pos")
    assert (given["AMBER_DATA"], given["DATA"]) == ("runs/proof/labels", "data-bin/proof")
    assert given["KEEP_CHECKPOINTS"] == "no"
    assert not {"UPDATES", "LR", "BATCH"} & set(given), "settings of the first training"
    (report,) = [call for call in called if call[0] == "report"]
    results = [f"runs/proof/transfer/pos-{x}/{i}/test.json" for x in encoders for i in "12"]
    assert report[1:7] == results
    assert compared(report) == [("none", "l2"), ("none", "control"), ("control", "l2")]


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"SYSTEMS": "wa-x"}, "SYSTEMS knows control, wa, sa"),
        ({"SYSTEMS": "l2 l2"}, "SYSTEMS has l2 twice"),
        ({"TRANSFER": "wa"}, "TRANSFER knows wa-states and l2, not wa"),
        ({"UPDATES": "0"}, "UPDATES=0 is below 1"),
        ({"SETS": "bucc"}, "SETS knows align_gold"),
    ],
)
def test_a_wrong_setting_is_named_first(prove, variables, message):
    part = "retrieval" if "TRANSFER" in variables else "words"
    assert message in prove(part, status=2, **variables)
    assert not prove.out.exists()


def test_a_part_of_the_labels_has_whole_examples(tmp_path):
    data = tmp_path / "data"
    question = {"id": "1", "question": "q"}
    articles = [{"title": str(i), "paragraphs": [{"qas": [question]}] * 3} for i in range(4)]
    for name, text in {
        "tagging/udpos/en/en.train.tsv": "a\tX\nb\tY\n\nc\tX\n\nd\tX\n\ne\tX\n",
        "tagging/udpos/fr/fr.test.tsv": "a\tX\n\nb\tX\n\n",
        "nli/xnli/test-fr.tsv": "1\n2\n3\n4\n",
        "paraphrase/pawsx/dev-en.tsv": "1\n2\n3\n",
        "qa/squad/x.train.json": json.dumps({"version": "1.1", "data": articles}),
    }.items():
        (data / name).parent.mkdir(parents=True)
        (data / name).write_text(text)
    script = ROOT / "scripts" / "proof" / "part_of.py"
    subprocess.run([sys.executable, script, data, tmp_path / "part", "8", "2"], check=True)
    part = {
        path.name: path.read_text() for path in (tmp_path / "part").rglob("*") if path.is_file()
    }
    assert part["en.train.tsv"] == "a\tX\nb\tY\n\nc\tX\n\nd\tX\n\ne\tX\n\n"  # fewer than 8: all
    assert part["fr.test.tsv"] == "a\tX\n\nb\tX\n\n"
    assert part["test-fr.tsv"] == "2\n4\n"
    assert part["dev-en.tsv"] == "1\n2\n3\n"
    kept = json.loads(part["x.train.json"])["data"]
    assert [(a["title"], len(a["paragraphs"])) for a in kept] == [("1", 1), ("3", 1)]


def test_the_text_of_all_sets(tmp_path):
    for name, text in {
        "align_gold/x/test.en-fr.en": "a  cat\n",
        "align_gold/x/test.en-fr.gold": "0-0\n",
        "qa/x.json": json.dumps({"version": "1.1", "data": [{"id": "i", "context": "un\nchat"}]}),
        "mono/en.txt": "not asked for\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    script, out = ROOT / "scripts" / "proof" / "text_of.py", tmp_path / "out"
    subprocess.run([sys.executable, script, tmp_path, out, "align_gold", "qa"], check=True)
    assert out.read_text() == "a cat\nun chat\n"


def test_what_is_kept_of_english_and_of_other_languages(tmp_path):
    def write(name, **scores):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        languages = {name.replace("_", "-"): {"score": score} for name, score in scores.items()}
        path.write_text(json.dumps({"per_language": languages}))

    write("tatoeba/none.json", fra_eng=90.0, deu_eng=80.0, eus_eng=40.0)
    write("transfer/pos-wa/1/test.json", en=90.0, fr=70.0, de=50.0)
    write("transfer/pos-wa/2/test.json", en=92.0, fr=72.0, de=60.0)
    write("transfer/pos-x-wa/1/test.json", en=1.0)  # of a system x-wa
    script = ROOT / "scripts" / "proof" / "forgetting.py"
    command = [sys.executable, script, tmp_path, "fr ja", "none", "wa"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == (tmp_path / "forgetting.md").read_text()
    assert printed.splitlines()[2:] == [
        "| retrieval | none |  | 90.0 | 60.0 |",
        "| pos | wa | 91.0 | 71.0 | 55.0 |",
    ]
