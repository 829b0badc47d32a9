"""Small runs of the commands that write, each in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from toy_training import noise_data, uninterrupted

from fairseq_amber import cli

# Each command with the place of its output; {v} is 1 or 2, for settings that give other results.
COMMANDS = {
    "demo-corpus": "{out} --pairs de-en --train-sentences 2000 --valid-sentences 50 "
    "--test-sentences 50 --mono-sentences 50 --seed {v}",
    "prepare": "{raw} {out} --vocab-size 10{v} --workers 2",
    "prepare-task": "pos {out} --tokenizer {data} --train en={tagged}.{v} --test de={tagged}.{v}",
    "embed": "{checkpoint} {raw}/train.de {out}.npy --layer {v} --batch-tokens 64",
    "align": "{checkpoint} --source {raw}/train.de-en.de --target {raw}/train.de-en.en "
    "--output {out} --layer {v}",
    "convert": "{checkpoint} {out} --to hugging-face --data {data} --pooling {pooling}",
}


class Materials(NamedTuple):
    """What the commands read.

    Attributes:
        raw: a folder of raw text.
        data: the data folder that was prepared of it.
        checkpoint: a checkpoint that was trained on it.
        tagged: files of tagged words, tagged.1 and tagged.2.
    """

    raw: Path
    data: Path
    checkpoint: Path
    tagged: Path


def materials(folder: Path) -> Materials:
    """Makes what the commands read, in a folder."""
    data = noise_data(folder)
    training = uninterrupted(data, folder)
    lines = (folder / "raw" / "train.en").read_text().splitlines()
    for version in (1, 2):
        text = "".join(
            "".join(f"{word}\t{'NV'[len(word) % 2]}\n" for word in line.split()) + "\n"
            for line in lines[version:]
        )
        (folder / f"tagged.{version}").write_text(text)
    return Materials(
        folder / "raw", data, training.folder / "checkpoint_last.pt", folder / "tagged"
    )


class Command:
    """A command with an output in a folder of its own.

    Attributes:
        name: the name of the command.
        folder: the folder that gets the output alone.
        log: what the command has printed on stderr.
    """

    def __init__(self, name: str, materials: Materials, folder: Path, version: int = 1):
        self.name = name
        self.folder = folder
        self.log = folder.with_name(f"{folder.name}.{version}.log")
        places = {**materials._asdict(), "out": folder / "out", "v": version}
        places["pooling"] = ("mean", "cls")[version - 1]
        self._arguments = [name, *COMMANDS[name].format(**places).split()]

    def start(self) -> int:
        """Starts the command; returns the process, which leads a group of its own, once the
        command has begun."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        begun, begin = os.pipe()
        process = os.fork()
        if process:
            os.close(begin)
            os.read(begun, 1)
            os.close(begun)
            return process
        status = 1
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = ["fairseq-amber", *self._arguments]
            os.close(begin)  # before, Ctrl-C would meet this program and not the command
            status = cli.main()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def finish(self) -> int:
        """Runs the command to its end; returns the exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.start(), 0)[1])

    def said(self) -> str:
        """Returns what the last run has printed on stderr."""
        return self.log.read_text() if self.log.exists() else ""

    def output(self) -> dict[str, bytes]:
        """Returns the content of every file of the folder, hidden ones too, by its path."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


def run_once(read: Materials, folder: Path) -> tuple[dict[str, dict], dict[str, float]]:
    """Runs each command without a fault; returns its output, and the seconds that it took."""
    whole, seconds = {}, {}
    for name in COMMANDS:
        command = Command(name, read, folder / f"whole-{name}")
        began = time.monotonic()
        if command.finish():
            raise SystemExit(f"stress: the command itself does not work: {command.said()}")
        seconds[name] = time.monotonic() - began
        whole[name] = command.output()
    return whole, seconds
