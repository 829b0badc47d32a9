"""Ends commands at random moments by Ctrl-C, once or twice, and by other signals."""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from pathlib import Path

from toy_commands import COMMANDS, Command, materials, run_once

_WAY = {
    "Ctrl-C": (signal.SIGINT,),
    "Ctrl-C twice": (signal.SIGINT, signal.SIGINT),
    "SIGTERM": (signal.SIGTERM,),
    "SIGKILL": (signal.SIGKILL,),
}


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Ends commands as often as the settings say; the same command is then run again.

    Ctrl-C must end a command with one line and status 130, within seconds, with all of its
    workers. Whatever ended it, the same command must then give the output of a run that was never
    ended, and nothing else.
    """
    rng = random.Random(settings.seed)
    read = materials(folder)
    whole, seconds = run_once(read, folder)
    counts = dict.fromkeys(("ended", "unclear", "alive", "other"), 0)
    for number in range(settings.interrupts):
        command = Command(rng.choice(list(COMMANDS)), read, folder / f"run-{number}")
        way = rng.choice(list(_WAY))
        process = command.start()
        time.sleep(rng.uniform(0, 1.1 * seconds[command.name]))
        status = _end(process, way, rng)
        counts["ended"] += status != 0
        if not _is_clear(way, status, command.said()):
            counts["unclear"] += 1
            print(f"interrupts: {command.name}, {way}, {status}: {command.said().strip()[-300:]}")
        counts["alive"] += _is_alive(process)
        if command.output() != whole[command.name]:
            again = command.finish()
            same = again == 0 and command.output() == whole[command.name]
            counts["other"] += not same
            if not same:
                print(f"interrupts: {command.folder}, again: {command.said().strip()[-300:]}")
    print(
        "interrupts: {interrupts} signals to {commands} commands, {ended} of which they ended: "
        "{unclear} ended unclearly, {alive} left processes, {other} with another output of the "
        "next run".format(interrupts=settings.interrupts, commands=len(COMMANDS), **counts)
    )
    return counts["unclear"] + counts["alive"] + counts["other"]


def _end(process: int, way: str, rng: random.Random) -> int | None:
    """Sends the signals to the group of a process; returns its status, or None if it hangs."""
    for number, one in enumerate(_WAY[way]):
        time.sleep(rng.uniform(0, 0.2) * number)
        try:
            os.killpg(process, one)
        except ProcessLookupError:
            pass
    for _ in range(300):
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def _is_clear(way: str, status: int | None, said: str) -> bool:
    """Tells whether a command has ended as it should."""
    if status == 0:
        return "Traceback" not in said
    if way.startswith("Ctrl-C"):
        return status == 130 and "Traceback" not in said and said.count("interrupted; the") == 1
    return status == -_WAY[way][0]


def _is_alive(group: int) -> bool:
    """Tells whether a process of a group still runs after some seconds."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return True
