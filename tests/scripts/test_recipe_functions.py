"""scripts/recipe_functions.sh: which lines are taken of a long text, and the optimiser's flags."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from fairseq_programs import USER_DIR, run_fairseq

FUNCTIONS = Path(__file__).resolve().parents[2] / "scripts" / "recipe_functions.sh"
SETTINGS = "LR=0.4 ADAM_BETAS='(0.8, 0.9)' ADAM_EPS=1e-5 WEIGHT_DECAY=0.02 CLIP_NORM=0.7"


def bash(program):
    """What a program says that has sourced the functions, and its status."""
    command = ["bash", "-euc", f'. "$0"; {program}', str(FUNCTIONS)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def spread(tmp_path, lines, wanted):
    text = tmp_path / "a text"
    text.write_text("".join(f"{line}\n" for line in lines))
    done = bash(f"spread_lines {shlex.quote(str(text))} {wanted}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "count, wanted", [(10, 3), (10, 9), (10, 1), (1000, 7), (999, 998), (7, 7)]
)
def test_as_many_lines_are_taken_as_are_wanted_one_in_each_equal_part(tmp_path, count, wanted):
    taken = [int(line) for line in spread(tmp_path, range(1, count + 1), wanted)]
    assert len(taken) == wanted
    assert taken == sorted(set(taken))
    for part, line in enumerate(taken):  # the part of a line: from 0, (line - 1) of count
        assert part * count < line * wanted <= (part + 1) * count + wanted


def test_a_text_with_fewer_lines_is_taken_whole(tmp_path):
    lines = ["a line", "", "  spaces  ", "back\\slash"]
    assert spread(tmp_path, lines, 100) == lines


def optimizer(schedule, warmup=4, updates=20, precision=""):
    program = f"{SETTINGS}; PRECISION='{precision}'; optimizer_flags {schedule} {warmup} {updates}"
    return bash(program + '; printf "%s\\n" "${optimizer[@]}"')


def learning_rates(data, save_dir, schedule):
    """That of each update of a real run, by the number of the update."""
    flags = [
        *("--task cross_lingual_alignment --criterion amber --arch amber_tiny --cpu").split(),
        *("--encoder-layers 1 --encoder-embed-dim 8 --encoder-ffn-embed-dim 8").split(),
        *("--encoder-attention-heads 2 --tokens-per-sample 64 --update-examples 4").split(),
        *("--max-update 8 --disable-validation --no-save --log-format json").split(),
        *("--log-interval 1 --max-tokens 600").split(),
        *optimizer(schedule, updates=8).stdout.splitlines(),
    ]
    result = run_fairseq("train", data, "--user-dir", USER_DIR, "--save-dir", save_dir, *flags)
    assert result.returncode == 0, result.stderr
    logged = [line.partition("| train_inner | ")[2] for line in result.stdout.splitlines()]
    logged = [json.loads(line) for line in logged if line]
    return {int(line["num_updates"]): float(line["lr"]) for line in logged}


def test_a_constant_schedule_warms_up_linearly_and_stays(data_folder, tmp_path):
    # The log names the rate of the next update.
    rates = learning_rates(data_folder, tmp_path, "constant")
    assert rates == pytest.approx({1: 0.2, 2: 0.3, **{n: 0.4 for n in range(3, 9)}})


def test_a_decaying_schedule_warms_up_linearly_and_ends_at_zero(data_folder, tmp_path):
    rates = learning_rates(data_folder, tmp_path, "polynomial_decay")
    expected = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.3, 6: 0.2, 7: 0.1, 8: 0}
    assert rates == pytest.approx(expected)


def test_the_settings_of_adam_are_the_recipes():
    given = optimizer("constant").stdout.splitlines()
    assert given[:2] == ["--optimizer", "bert_adam"]
    flags = dict(zip(given[::2], given[1::2]))
    assert flags["--adam-betas"] == "(0.8, 0.9)" and flags["--adam-eps"] == "1e-5"
    assert flags["--weight-decay"] == "0.02" and flags["--clip-norm"] == "0.7"


def test_an_unknown_schedule_is_refused_by_name():
    done = optimizer("cosine")
    assert done.returncode == 2
    assert done.stderr == "SCHEDULE=cosine is neither polynomial_decay nor constant\n"


@pytest.mark.parametrize("precision", ["--fp16", "--bf16", "--memory-efficient-fp16", ""])
def test_half_precision_keeps_a_copy_of_each_parameter(precision):
    given = optimizer("constant", precision=precision).stdout.splitlines()
    assert ("--fp16-no-flatten-grads" in given) == (precision == "--fp16")


def test_paths_are_from_the_root_and_keep_their_blanks(tmp_path):
    (tmp_path / "a folder" / "below").mkdir(parents=True)
    (tmp_path / "a file").touch()
    there = shlex.quote(str(tmp_path / "a folder"))
    done = bash(
        f"cd {there}; FOLDER=./below/ FILE='../a file' NEW=x/y NONE=; paths FOLDER FILE NONE UNSET;"
        'new_paths NEW; printf "%s\\n" "$FOLDER" "$FILE" "$NEW" "$NONE"'
    )
    expected = ["a folder/below", "a file", "a folder/x/y"]
    assert done.stdout.splitlines() == [*(str(tmp_path / name) for name in expected), ""]


def test_encoders_outside_the_checkout_have_whole_paths(tmp_path):
    for name in ("a.pt", "b c.pt"):
        (tmp_path / name).touch()
    there = f"cd {shlex.quote(str(tmp_path))}; "
    done = bash(there + "E='x=a.pt y=../*/a.pt'; E=${E%% y*}; named_paths E; echo $E")
    assert done.stdout == f"x={tmp_path}/a.pt\n"
    assert "E has a.pt, which is not name=path" in bash(there + "E=a.pt; named_paths E").stderr
    assert "E: d.pt does not exist" in bash(there + "E=x=d.pt; named_paths E").stderr


def test_a_step_takes_a_corrected_value_until_there_is_a_checkpoint_or_an_end(tmp_path):
    mark, run = shlex.quote(str(tmp_path / "steps" / "mlm")), tmp_path / "mlm"
    run.mkdir()
    ended = f"test -e {shlex.quote(str(run))}/checkpoint_last.pt"
    assert bash(f"step {mark} env LR=wrong {ended}").returncode == 1
    assert bash(f"step {mark} env LR=1 {ended}").returncode == 1
    (run / "checkpoint_last.pt").touch()
    done = bash(f"step {mark} env LR=2 {ended}")
    assert done.returncode == 2 and "holds other settings than these" in done.stderr
    assert bash(f"step {mark} env LR=1 MAX_TOKENS=7 {ended}").returncode == 0  # the machine's
    (run / "checkpoint_last.pt").unlink()
    assert bash(f"step {mark} env LR=2 {ended}").returncode == 2


@pytest.mark.parametrize("value", ["1", "-2.5", ".5", "1e-3", "5e-4,1e-4", "3.", "+1E5"])
def test_numbers_are_taken(value):
    done = bash(f"A=1 B={value}; numbers A B")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("value", ["abc", "1e", "1,x", "--1", "nan", "0x10", "1;2"])
def test_what_is_no_number_is_refused(value):
    done = bash(f"B='{value}'; numbers B")
    assert done.returncode == 2 and f"B={value} is not a number" in done.stderr


@pytest.mark.parametrize("name", ["", "/abs", "..", "a/../b", "a//b", "-x", "a/-x", "."])
def test_a_name_whose_folder_would_lie_elsewhere_is_refused(name):
    """NAME=.. wrote beside runs, and an empty one into runs itself."""
    done = bash(f"NAME='{name}'; run_names NAME")
    assert done.returncode == 2 and f"NAME='{name}' does not name a folder" in done.stderr
    assert bash("A='a name' B=trial/mine; run_names A B").returncode == 0
    assert "A='a name' has a blank" in bash("A='a name'; run_words A").stderr


def test_a_text_that_may_be_compressed(tmp_path):
    (tmp_path / "a b.gz").touch()
    assert bash(f"text_file '{tmp_path}/a b'").stdout == f"{tmp_path}/a b.gz\n"
    assert bash(f"text_file '{tmp_path}/b' || echo none").stdout == f"{tmp_path}/b\nnone\n"


def test_a_compressed_text_that_is_damaged_is_not_taken_as_short(tmp_path):
    """awk ended well, whatever went before it."""
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8bnothing")
    done = bash(f"spread_lines '{tmp_path}/a.gz' 5")
    assert done.returncode != 0 and done.stdout == ""


def test_a_pretrained_folder_is_told_from_others_and_from_another_one(tmp_path):
    folder, file = tmp_path / "a model", tmp_path / "model.pt"
    (folder / "below").mkdir(parents=True)
    file.touch()
    given = f"MODEL='{folder}' FILE='{file}' NONE=; cd /; "
    said = bash(given + "models MODEL")
    assert said.returncode == 2 and "is neither a checkpoint nor a pretrained folder" in said.stderr
    assert bash(given + "DRY_RUN=1; models MODEL").returncode == 0
    sums = [bash(given + 'model_sum "$MODEL"').stdout]
    for name, text in (("config.json", "{}"), ("model.safetensors", "x"), ("README.md", "x")):
        (folder / name).write_text(text)
        sums.append(bash(given + 'models MODEL FILE NONE; model_sum "$MODEL"').stdout)
    assert len(set(sums)) == 3 and sums[2] == sums[3]
    link = f"linked_model '{folder}' '{tmp_path}/link'"
    assert bash(f"{link}; {link}").returncode == 0 and (tmp_path / "link").samefile(folder)
    said = bash(f"linked_model '{file}' '{tmp_path}/link'")
    assert said.returncode == 2 and "link is another model than" in said.stderr


def test_a_folder_has_one_run_at_a_time_also_while_its_programs_end(tmp_path):
    folder = shlex.quote(str(tmp_path / "a run"))
    program = f'. "$0"; alone {folder}; exec 8<&0; (echo works; read -r x <&8) & exec 9>&-; wait'
    with subprocess.Popen(
        ["bash", "-euc", program, str(FUNCTIONS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout.readline() == b"works\n"
        second = bash(f"alone {folder}; echo works")
        assert (second.returncode, second.stdout) == (2, "")
        assert f"another run works in {tmp_path / 'a run'}: wait" in second.stderr
        first.stdin.close()
        first.stdout.read()  # until what it started has ended
    third = bash(f"alone {folder}; alone {folder}; echo works")
    assert third.stdout == "works\n", third.stderr
