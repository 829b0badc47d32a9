"""Commands on a full disk, then with space: the same command must go on."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
from pathlib import Path

from disk import own_disk, resize
from toy_commands import COMMANDS, Command, materials, run_once

_PAGE = 4096  # bytes; a disk of memory has room for whole ones only


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Fills the disk of each command as often as the settings say, after another number of bytes.

    The command must end in one clear line and with status 2; with space, it must give the output of
    a run on a large disk, and nothing else.
    """
    disk = own_disk(folder)
    if disk is None:
        print("disk-commands: left out: tmpfs needs root")
        return 0
    rng = random.Random(settings.seed)
    read = materials(folder)
    whole, _ = run_once(read, folder)
    counts = dict.fromkeys(("full", "unclear", "other"), 0)
    try:
        for number in range(settings.fills * len(COMMANDS)):
            name = list(COMMANDS)[number % len(COMMANDS)]
            command = Command(name, read, disk / f"run-{number}")
            command.log = folder / f"run-{number}.log"
            pages = sum(-(-len(data) // _PAGE) + 1 for data in whole[name].values())
            resize(disk, _PAGE * (1 + rng.randrange(pages)))
            status = command.finish()
            resize(disk, 10 * _PAGE * pages + (1 << 20))
            if status != 0:
                counts["full"] += 1
                if not _is_clear(status, command.said()):
                    counts["unclear"] += 1
                    print(f"disk-commands: {name}, {status}: {command.said().strip()[-300:]}")
                status = command.finish()
            if status != 0 or command.output() != whole[name]:
                counts["other"] += 1
                print(f"disk-commands: {name}, again: {command.said().strip()[-300:]}")
            shutil.rmtree(command.folder)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    print(
        "disk-commands: {full} of {runs} runs of {commands} commands met a full disk: {unclear} "
        "ended unclearly, {other} with another output of the next run, with space".format(
            runs=settings.fills * len(COMMANDS), commands=len(COMMANDS), **counts
        )
    )
    return counts["unclear"] + counts["other"]


def _is_clear(status: int, said: str) -> bool:
    """Tells whether a command on a full disk has ended as it should."""
    lines = [line for line in said.splitlines() if "error" in line.lower()]
    return status == 2 and len(lines) == 1 and "Traceback" not in said
