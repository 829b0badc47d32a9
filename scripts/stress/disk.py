"""Trainings on a full disk, then with space: the same command must go on."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
from pathlib import Path

from toy_training import Training, noise_data, uninterrupted


def run(settings: argparse.Namespace, folder: Path) -> int:
    """Fills the disk as often as the settings say, each time after another number of bytes.

    The run must end in one clear line, its checkpoints must be whole, and the last one no older
    than before; with space, the same command must end equal to the uninterrupted run to the bit.
    """
    data = settings.data or noise_data(folder)
    straight = uninterrupted(data, folder)
    disk = own_disk(folder)
    try:
        counts = _fill(settings, straight, data, disk, folder)
    finally:
        if disk is not None:
            subprocess.run(["umount", "-l", str(disk)], check=False)
    print(
        "disk: {full} of {fills} runs met a full disk ({how}): {unclear} ended unclearly, {torn} "
        "torn checkpoints, {lost} lost; with space {equal} of {fills} equal the uninterrupted run "
        "to the bit".format(
            fills=settings.fills,
            how="a small tmpfs" if disk else "a limit of the size of files; tmpfs needs root",
            **counts,
        )
    )
    failures = counts["unclear"] + counts["torn"] + counts["lost"]
    return failures + settings.fills - counts["equal"]


def _fill(
    settings: argparse.Namespace, straight: Training, data: Path, disk: Path | None, folder: Path
) -> dict[str, int]:
    """Fills the disk, or gives files a limit where there is none of our own; counts the ends."""
    rng = random.Random(settings.seed)
    size = (straight.folder / "checkpoint_last.pt").stat().st_size
    counts = dict.fromkeys(("full", "unclear", "torn", "lost", "equal"), 0)
    for number in range(settings.fills):
        training = Training(data, (disk or folder) / f"run-{number}")
        training.log = folder / f"run-{number}.log"
        before, largest = 0, None
        if disk is not None:
            # room for a part of the first save, or for all of it and a part of a later one
            resize(disk, int(size * rng.uniform(0.3, 7)))
        else:
            largest = int(size * rng.uniform(0.01, 0.99))
            if number % 2:  # a run that has checkpoints already
                _begin_as(straight, training)
                before = training.updates()
        status = training.finish(largest)
        counts["full"] += status != 0
        lines = training.said()
        clear = status == 0 or "fairseq-amber: error: cannot write" in lines[-1]
        if not clear or any("Traceback" in line for line in lines):
            counts["unclear"] += 1
            print("disk: ended unclearly:", *lines[-10:], sep="\n  ")
        counts["torn"] += len(training.torn())
        counts["lost"] += training.updates() < before
        if disk is not None:
            resize(disk, 40 * size)
        counts["equal"] += training.finish() == 0 and training.equals(straight)
        shutil.rmtree(training.folder)
    return counts


def own_disk(folder: Path) -> Path | None:
    """Returns a disk whose size can be chosen; None if this user may not mount one."""
    place = folder / "disk"
    place.mkdir()
    if os.getuid() == 0:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
        if not subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
            return place
    return None


def resize(disk: Path, size: int) -> None:
    """Gives a disk of ``own_disk`` another size, in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def _begin_as(straight: Training, training: Training) -> None:
    """Puts a run into the state that another one had at its last but one save."""
    shutil.copytree(straight.folder, training.folder)
    kept = sorted(
        training.folder.glob("checkpoint_*_*.pt"), key=lambda path: int(path.stem.split("_")[2])
    )
    shutil.copy(kept[-2], training.folder / "checkpoint_last.pt")
    kept[-1].unlink()
