"""A small training that saves often, each in a process of its own, and its twin without a fault."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import traceback
from pathlib import Path

import fairseq  # noqa: F401  (first, so that the plugin registers itself)
import fairseq_cli.train
import torch
import torch._dynamo  # noqa: F401  (every optimiser imports it)

import fairseq_amber
from fairseq_amber.errors import UserError
from fairseq_amber.files.checkpoint_folder import check_checkpoint, checkpoints_of
from fairseq_amber.files.torch_file import read_torch_file

UPDATES = 24
COMMAND = (
    "--task cross_lingual_alignment --criterion amber --arch amber_tiny --encoder-layers 2"
    " --encoder-embed-dim 64 --encoder-ffn-embed-dim 128 --tokens-per-sample 64 --max-tokens 600"
    " --optimizer adam --lr 0.001 --seed 1 --cpu --num-workers 2 --log-format simple"
    f" --log-interval 1 --max-update {UPDATES} --save-interval-updates 4 --keep-interval-updates 2"
    " --validate-retrieval 8 --best-checkpoint-metric retrieval/de-en"
    " --maximize-best-checkpoint-metric --keep-best-checkpoints 2 --no-epoch-checkpoints"
).split()


class Training:
    """A run of ``fairseq-train`` in a folder; started again, it goes on there.

    Attributes:
        folder: the folder of its checkpoints.
        log: what all its processes have printed.
    """

    def __init__(self, data: Path, folder: Path):
        self.folder = folder
        self.log = folder.with_name(folder.name + ".log")
        user_dir = Path(fairseq_amber.__file__).parent
        own = ["--user-dir", str(user_dir), "--save-dir", str(folder)]
        self._arguments = [str(data), *COMMAND, *own]

    def start(self, largest_file: int | None = None) -> int:
        """Starts or continues the run; returns the process, which leads a group of its own.

        Args:
            largest_file: after so many bytes a file takes no more, as on a full disk.
        """
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            os.setsid()
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
            sys.argv = ["fairseq-train", *self._arguments]
            fairseq_cli.train.cli_main()
            status = 0
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr, flush=True)
            status = 1 if isinstance(error.code, str) else int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def finish(self, largest_file: int | None = None) -> int:
        """Runs to the end; returns the exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.start(largest_file), 0)[1])

    def said(self) -> list[str]:
        """Returns the lines of the log."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def torn(self) -> list[str]:
        """Returns the names of its checkpoints that are not whole."""
        names = []
        for path in checkpoints_of(self.folder):
            try:
                check_checkpoint(path)
            except UserError:
                names.append(path.name)
        return names

    def updates(self) -> int:
        """Returns how many updates its last checkpoint has made; 0 if it has none."""
        last = self.folder / "checkpoint_last.pt"
        if not last.exists() or last.name in self.torn():
            return 0
        return check_checkpoint(last)["optimizer_history"][-1]["num_updates"]

    def equals(self, other: Training) -> bool:
        """Tells whether the run has all checkpoints of another one, and each the same weights and
        state of the optimiser, to the bit. Killed at its very end, it may have some more, which
        the next save would have removed."""
        return all(
            (self.folder / twin.name).exists()
            and _equal(read_torch_file(self.folder / twin.name)[part], read_torch_file(twin)[part])
            for twin in checkpoints_of(other.folder)
            for part in ("model", "last_optimizer_state")
        )


def _equal(one: object, other: object) -> bool:
    """Tells whether two nested containers hold equal values, tensors to the bit."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


def noise_data(folder: Path) -> Path:
    """Prepares a data folder of random words; returns it."""
    raw, rng = folder / "raw", random.Random(1)
    raw.mkdir()
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(1, 5))) for _ in range(60)]
    for split, count in (("train", 150), ("valid", 12)):
        for name in (f"{split}.de-en.de", f"{split}.de-en.en", f"{split}.de", f"{split}.en"):
            lines = (" ".join(rng.choices(words, k=rng.randint(2, 9))) for _ in range(count))
            (raw / name).write_text("".join(line + "\n" for line in lines))
    command = [sys.executable, "-m", "fairseq_amber.cli", "prepare", str(raw), str(folder / "data")]
    root = str(Path(fairseq_amber.__file__).parents[1])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [*command, "--vocab-size", "100", "--workers", "1"],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return folder / "data"


def uninterrupted(data: Path, folder: Path) -> Training:
    """Runs a training without a fault; returns it."""
    training = Training(data, folder / "uninterrupted")
    status = training.finish()
    if status or training.updates() != UPDATES:
        raise SystemExit(f"stress: the training itself does not work: {training.log}")
    return training
