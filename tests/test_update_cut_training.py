"""The real ``fairseq-train`` learns the same on one process as on two, and goes on on either."""

import json
import re
import shutil

import pytest

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq, run_torchrun

FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --dropout 0 --attention-dropout 0 --task cross_lingual_alignment"
    " --criterion amber --tokens-per-sample 64 --max-tokens 400 --optimizer adam --lr 0.005"
    " --lr-scheduler fixed --clip-norm 1 --seed 3 --log-format json --log-interval 1 --cpu"
    " --max-update 20 --disable-validation --no-epoch-checkpoints --save-interval-updates 5"
    " --ddp-backend legacy_ddp"
).split()
SPEED = {"wps", "pps", "ups", "train_wall", "wall"}
DIGITS = {
    "loss": 4,
    "sa_accuracy": 1,
    "contrast_accuracy": 1,
    "clip": 1,
}  # of the log; other values have three
MOMENTUM = "--criterion contrastive_alignment --contrast-momentum 0.5 --contrast-queue 31"
ONE = {
    "update_freq": "--update-freq 2",
    "update_tokens": "--update-tokens 900",
    "momentum": f"{MOMENTUM} --update-freq 2",
}
TWO = {"update_freq": "", "update_tokens": "--update-tokens 900", "momentum": MOMENTUM}


def train(data, save_dir, flags, program=run_fairseq, **settings):
    own = ["--save-dir", save_dir, "--user-dir", USER_DIR, *FLAGS, *flags.split()]
    return program("train", data, *own, **settings)


def logged(result):
    """What the log says of each update, by its number."""
    assert result.returncode == 0, result.stderr
    lines = map(json.loads, re.findall(r"\| train_inner \| ({.*})", result.stdout))
    return {
        int(line["num_updates"]): {name: float(x) for name, x in line.items() if name not in SPEED}
        for line in lines
    }


def assert_equal_as_printed(ours, theirs, updates, but=()):
    """Up to one in the last digit."""
    assert list(ours) == updates and set(updates) <= set(theirs)
    for update in updates:
        assert ours[update].keys() == theirs[update].keys()
        for name, value in theirs[update].items():
            if name not in but:
                unit = 1.01 * 10 ** -DIGITS.get(name, 3)
                assert ours[update][name] == pytest.approx(value, abs=unit), (update, name)


def steps(save_dir):
    """How many steps fairseq has made for each update of a run."""
    return read_torch_file(save_dir / "checkpoint_last.pt")["cfg"]["optimization"]["update_freq"]


@pytest.fixture(scope="module")
def on_one(data_folder, tmp_path_factory):
    """``size -> (log, folder of the checkpoints)`` of a run on one process."""
    done = {}

    def run(size):
        if size not in done:
            save_dir = tmp_path_factory.mktemp(size)
            done[size] = logged(train(data_folder, save_dir, ONE[size])), save_dir
        return done[size]

    return run


@pytest.mark.distributed
def test_two_processes_equal_one_that_makes_two_steps(data_folder, on_one, tmp_path):
    if "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    whole, _ = on_one("update_freq")
    flags = TWO["update_freq"] + " --ddp-backend c10d"
    cut = logged(train(data_folder, tmp_path, flags, program=run_torchrun))
    assert_equal_as_printed(cut, whole, list(range(1, 21)))
    assert whole[1]["loss"] - whole[20]["loss"] > 0.5 and whole[20]["epoch"] == 2


@pytest.mark.distributed
def test_an_update_of_a_stated_size_is_cut_as_memory_and_processes_ask(
    data_folder, on_one, tmp_path
):
    whole, save_dir = on_one("update_tokens")
    flags = TWO["update_tokens"] + " --max-tokens 700"
    cut = logged(train(data_folder, tmp_path, flags, processes=2))
    assert_equal_as_printed(cut, whole, list(range(1, 21)), but=["padding"])
    assert steps(save_dir) == [3] and steps(tmp_path) == [1]
    assert all(line["wpb"] <= 900 for line in whole.values())
    assert sum(line["wpb"] > 600 for line in whole.values()) > 10


@pytest.mark.distributed
@pytest.mark.parametrize("size", ONE)
def test_a_run_goes_on_in_another_cut(data_folder, on_one, tmp_path, size):
    whole, save_dir = on_one(size)
    shutil.copy(save_dir / "checkpoint_1_5.pt", tmp_path / "checkpoint_last.pt")
    result = train(data_folder, tmp_path, TWO[size], processes=2)
    assert_equal_as_printed(logged(result), whole, list(range(6, 21)), but=["padding"])
    assert "it continues at update 6 of " in result.stdout
    assert steps(tmp_path) == [2 if size == "update_tokens" else 1]


def test_a_run_of_a_stated_size_goes_on_and_is_validated(data_folder, on_one, tmp_path):
    whole, save_dir = on_one("update_tokens")
    shutil.copy(save_dir / "checkpoint_1_5.pt", tmp_path / "checkpoint_last.pt")
    result = train(data_folder, tmp_path, ONE["update_tokens"])
    rest = logged(result)
    assert {update: line for update, line in whole.items() if update > 5} == rest
    assert "it continues at" not in result.stdout and steps(tmp_path) == [3]
    given = "--task cross_lingual_alignment --max-tokens 400 --cpu --log-format simple".split()
    given += ["--path", tmp_path / "checkpoint_last.pt", "--user-dir", USER_DIR]
    result = run_fairseq("validate", data_folder, *given)
    assert result.returncode == 0, result.stderr
    loss = re.search(r"\| valid .*\| loss ([\d.]+)", result.stdout)
    assert loss and 8 < float(loss[1]) < 12


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--update-tokens 900 --update-freq 2", "the second follows from the first; drop it"),
        ("--update-examples 9 --update-tokens 900", "both state one size; drop either"),
        ("--update-tokens 30", "--update-tokens 30 is less than the longest example needs"),
    ],
)
def test_a_mistake_ends_in_one_clear_line(data_folder, tmp_path, flags, message):
    result = train(data_folder, tmp_path, flags)
    assert result.returncode != 0 and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("fairseq-amber: error: ") and message in last, last
