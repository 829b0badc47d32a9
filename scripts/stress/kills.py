"""Kills trainings with SIGKILL: at random moments, and while they write checkpoints."""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from pathlib import Path

from toy_training import Training, noise_data, uninterrupted

_MOST_CHANGES = 40  # a save of all checkpoints is seen as about ten changes of the folder


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Kills as often as the settings say, and lets each run end in between if it gets so far.

    After each kill every checkpoint must be whole, and the last one no older than before; started
    again, the run must go on; at its end it must equal the uninterrupted run to the bit.
    """
    rng = random.Random(settings.seed)
    data = settings.data or noise_data(folder)
    began = time.monotonic()
    straight = uninterrupted(data, folder)
    seconds = time.monotonic() - began
    counts = dict.fromkeys(("aimed", "random", "torn", "lost", "stuck", "finished", "equal"), 0)
    number, training, before = 0, Training(data, folder / "run-0"), 0
    while counts["aimed"] + counts["random"] < settings.kills or before:
        over = counts["aimed"] + counts["random"] >= settings.kills
        process = training.start()
        kind = rng.choice(("aimed", "random"))
        if over:
            pass
        elif kind == "aimed":
            _wait_for_changes(training.folder, process, rng.randint(1, _MOST_CHANGES))
        else:
            _wait_for(process, rng.uniform(0, seconds))
        killed = False if over else _kill(process, with_workers=rng.random() < 0.5)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        counts["torn"] += len(training.torn())
        if killed and status == -signal.SIGKILL:
            counts[kind] += 1
            counts["lost"] += training.updates() < before
            before = training.updates() or before
            continue
        counts["stuck"] += status != 0
        counts["finished"] += status == 0
        counts["equal"] += status == 0 and training.equals(straight)
        if status:
            print(f"kills: {training.log} ends: {training.said()[-1]}")
        number, before = number + 1, 0
        training = Training(data, folder / f"run-{number}")
    print(
        "kills: {kills} kills ({aimed} while checkpoints were written, {random} at random "
        "moments): {torn} torn checkpoints, {lost} lost, {stuck} runs that could not go on; "
        "{equal} of {finished} finished runs equal the uninterrupted one to the bit".format(
            kills=counts["aimed"] + counts["random"], **counts
        )
    )
    failures = counts["torn"] + counts["lost"] + counts["stuck"]
    return failures + counts["finished"] - counts["equal"]


def _wait_for(process: int, seconds: float) -> None:
    """Waits some time, or until the process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not _has_ended(process):
        time.sleep(0.005)


def _wait_for_changes(folder: Path, process: int, count: int) -> None:
    """Waits until a folder has been seen to change so often, or the process has ended."""
    seen = _state(folder)
    while count and not _has_ended(process):
        now = _state(folder)
        count, seen = count - (now != seen), now


def _state(folder: Path) -> list:
    """Returns the names of a folder's files, and which file each stands for, and its size."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries]
    except OSError:  # not there yet, or a file has just gone
        return []
    return sorted((name, status.st_ino, status.st_size) for name, status in found)


def _has_ended(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(process: int, *, with_workers: bool) -> bool:
    """Kills a training, alone or with its data-loading workers; returns whether it still ran."""
    if _has_ended(process):
        return False
    try:
        (os.killpg if with_workers else os.kill)(process, signal.SIGKILL)
    except ProcessLookupError:  # killed before it led its group
        os.kill(process, signal.SIGKILL)
    return True
