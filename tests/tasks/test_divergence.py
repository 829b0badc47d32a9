"""A training that diverges ends with one line, after fairseq has looked for the NaN."""

import pytest
from fairseq.trainer import Trainer

from fairseq_amber.tasks.divergence import _training, guard_divergence
from fairseq_programs import USER_DIR, run_fairseq


def test_a_learning_rate_that_is_too_high(data_folder, tmp_path):
    """The search for the NaN ended in a TypeError, which hid what had happened."""
    result = run_fairseq(
        "train",
        data_folder,
        *f"--user-dir {USER_DIR} --task cross_lingual_alignment --tokens-per-sample 64".split(),
        *"--arch amber_tiny --criterion amber --max-tokens 600 --optimizer adam --cpu".split(),
        *f"--lr 1e12 --max-update 9 --save-dir {tmp_path}".split(),
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1] == (
        "fairseq-amber: error: training ended in update 2: gradients are NaN or infinite; lower "
        "--lr or the weight of a term, raise --warmup-updates or a temperature near 0, or give "
        f"--clip-norm 1 ({tmp_path}/crash.pt has the model of then)"
    )
    assert "NaN detected in output of encoder.sentence_encoder" in result.stdout
    assert [path.name for path in tmp_path.glob("*.pt")] == ["crash.pt"]


class Stopped:
    """A trainer that fairseq has stopped in its eighth update."""

    class cfg:  # noqa: N801  (fairseq's name)
        class checkpoint:  # noqa: N801
            save_dir = "runs/x"

    def get_num_updates(self):
        return 7


OF_RANKS = (
    "Fatal error: inconsistent\ngrad_norm across the workers:\nrank   0 = {}\nrank   1 = 2.5\n"
)


@pytest.mark.parametrize(
    "words, line",
    [
        ("gradients are Nan/Inf", r"gradients are NaN or infinite; lower --lr .* \(runs/x"),
        (OF_RANKS.format("nan"), r"gradients are NaN or infinite; lower --lr .* \(runs/x"),
        (OF_RANKS.format("-inf"), r"gradients are NaN or infinite; lower --lr .* \(runs/x"),
        (OF_RANKS.format("2.4"), r"Fatal error: inconsistent\\ngrad_norm .* = 2.5 \(runs/x"),
        ("Minimum loss scale.\nTry a lower rate. ", r"Minimum loss .*a lower rate. \(runs/x"),
    ],
)
def test_what_fairseq_means(words, line):
    def train_step(trainer):
        raise FloatingPointError(words)

    with pytest.raises(SystemExit, match=f"in update 8: {line}/crash.pt has the model of then"):
        _training(train_step)(Stopped())


def test_other_steps_pass():
    assert _training(lambda trainer, samples, raise_oom=False: (samples, raise_oom))(
        Stopped(), [1], raise_oom=True
    ) == ([1], True)


def test_the_guard_is_laid_once():
    guarded = Trainer.train_step
    assert guarded.guarded
    guard_divergence()
    assert Trainer.train_step is guarded
