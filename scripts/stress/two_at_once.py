"""Starts two commands with one output, or two trainings in one folder, at the same time."""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

from toy_commands import COMMANDS, Command, Materials, materials
from toy_training import Training, uninterrupted


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Starts pairs as often as the settings say.

    The later one must end with one line and status 2 where the earlier one still works, and the
    output must be that of one of both, to the byte.
    """
    rng = random.Random(settings.seed)
    read = materials(folder)
    counts = dict.fromkeys(("refused", "unclear", "mixed"), 0)
    outputs: dict[str, list[dict[str, bytes]]] = {}
    for number in range(settings.pairs):
        name = [*COMMANDS, "fairseq-train"][number % (len(COMMANDS) + 1)]
        place = folder / f"pair-{number}"
        if name == "fairseq-train":
            refused, clear, whole = _train_twice(read.data, place, rng)
        else:
            if name not in outputs:
                outputs[name] = _outputs(name, read, folder)
            refused, clear, whole = _run_twice(name, read, place, rng, outputs[name])
        counts["refused"] += refused
        counts["unclear"] += not clear
        counts["mixed"] += not whole
        if not (clear and whole):
            print(f"two-at-once: {name} in {place}")
    print(
        "two-at-once: {pairs} pairs of {kinds} programs on one output: {refused} times one was "
        "refused, {unclear} ended unclearly, {mixed} outputs are not those of one of both".format(
            pairs=settings.pairs, kinds=len(COMMANDS) + 1, **counts
        )
    )
    return counts["unclear"] + counts["mixed"]


def _outputs(name: str, read: Materials, folder: Path) -> list[dict[str, bytes]]:
    """Returns the output of a command with each of its two settings."""
    found = []
    for version in (1, 2):
        command = Command(name, read, folder / f"alone-{name}-{version}", version)
        if command.finish():
            raise SystemExit(f"stress: the command itself does not work: {command.said()}")
        found.append(command.output())
    return found


def _run_twice(
    name: str,
    read: Materials,
    place: Path,
    rng: random.Random,
    outputs: list[dict[str, bytes]],
) -> tuple[bool, bool, bool]:
    """Runs a command with both settings at once.

    Returns:
        Whether one was refused, whether both ended clearly, and whether the output is whole.
    """
    commands = [Command(name, read, place, version) for version in (1, 2)]
    processes = []
    for command in commands:
        processes.append(command.start())
        time.sleep(rng.choice((0, 0, 0.05, 0.3)))
    statuses = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    errors = [command.said() for command in commands]
    refused = any("wait until it has ended" in error for error in errors)
    clear = 0 in statuses and set(statuses) <= {0, 2} and "Traceback" not in "".join(errors)
    return refused, clear, commands[0].output() in outputs


def _train_twice(data: Path, place: Path, rng: random.Random) -> tuple[bool, bool, bool]:
    """Starts two trainings in one folder; see ``_run_twice``."""
    place.mkdir()
    straight = uninterrupted(data, place)
    trainings = [Training(data, place / "run"), Training(data, place / "run")]
    processes = []
    for number, training in enumerate(trainings):
        training.log = place / f"{number}.log"
        processes.append(training.start())
        time.sleep(rng.choice((0, 0, 0.05, 0.3)))
    statuses = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    failed = [training for training, status in zip(trainings, statuses) if status]
    refused = [training for training in failed if "wait until" in training.said()[-1]]
    return bool(refused), len(failed) < 2 and refused == failed, trainings[0].equals(straight)
