"""Fine-tuning on two processes equals one that accumulates two batches, the last update of an epoch
included, in which one of the processes has no batch; so do the scores of the validation text."""

import re

import pytest
import torch

from fairseq_amber.files.torch_file import read_torch_file
from fairseq_programs import USER_DIR, run_fairseq

pytestmark = pytest.mark.distributed

FLAGS = (
    "--arch amber_tiny --encoder-layers 2 --encoder-embed-dim 16 --encoder-ffn-embed-dim 32"
    " --max-positions 64 --max-length 24 --dropout 0 --attention-dropout 0 --batch-size 8"
    " --batch-size-valid 5 --optimizer sgd --lr 0.5 --lr-scheduler fixed --max-epoch 1 --seed 3"
    " --log-format simple --log-interval 1 --no-epoch-checkpoints --cpu"
).split()
KIND_FLAGS = {
    "tagging": ["--ddp-backend", "legacy_ddp"],
    "qa": "--ddp-backend c10d --max-query-length 4 --doc-stride 8 --max-update 3".split(),
}


@pytest.mark.parametrize("kind", KIND_FLAGS)
def test_the_number_of_processes_does_not_matter(toy_tasks, tmp_path, kind):
    if kind == "qa" and "+" not in pytest.importorskip("fairseq").__version__:
        pytest.skip("stock fairseq's c10d needs a GPU")
    task = ["--task", f"xtreme_{kind}", "--criterion", f"xtreme_{kind}"]
    found = []
    for processes, extra in ((1, ["--update-freq", "2"]), (2, KIND_FLAGS[kind])):
        save_dir = tmp_path / str(processes)
        own = [*task, *FLAGS, "--user-dir", USER_DIR, "--save-dir", save_dir]
        own += [*KIND_FLAGS[kind][2:], *extra]
        result = run_fairseq("train", toy_tasks[kind], *own, processes=processes)
        assert result.returncode == 0, result.stderr
        state = read_torch_file(save_dir / "checkpoint_last.pt")
        line = next(line for line in result.stdout.splitlines() if "| valid |" in line)
        scores = re.findall(r"\| (f1|em|accuracy|loss) ([\d.]+)", line)
        found.append((state, {name: float(value) for name, value in scores}))
    (one, scores), (two, scores_of_two) = found
    updates = [state["optimizer_history"][-1]["num_updates"] for state in (one, two)]
    assert updates == [8, 8] if kind == "tagging" else [3, 3]
    for name, value in one["model"].items():
        torch.testing.assert_close(two["model"][name], value, atol=1e-5, rtol=1e-4)
    assert len(scores) >= 3 and scores == pytest.approx(scores_of_two, abs=2e-3)
