"""scripts/stress.sh in its short form: a few kills, a few full disks, and its counts."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from forked_programs import forked_python

ROOT = Path(__file__).resolve().parents[2]


def stress(*arguments, **variables):
    environment = {**os.environ, "PYTHON": forked_python(), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "stress.sh"), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_a_few_kills_and_full_disks_lose_nothing(data_folder):
    done = stress("kills", "disk", "--data", data_folder, KILLS="2", FILLS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    kills, disk = (line for line in done.stdout.splitlines() if re.match("kills|disk", line))
    assert re.fullmatch(
        r"kills: 2 kills \(\d while checkpoints were written, \d at random moments\): 0 torn "
        r"checkpoints, 0 lost, 0 runs that could not go on; (\d) of \1 finished runs equal the "
        "uninterrupted one to the bit",
        kills,
    )
    assert re.fullmatch(
        r"disk: 1 of 1 runs met a full disk \(.*\): 0 ended unclearly, 0 torn checkpoints, 0 lost; "
        "with space 1 of 1 equal the uninterrupted run to the bit",
        disk,
    )


@pytest.mark.slow
def test_commands_that_are_ended_or_meet_lose_nothing():
    done = stress("interrupts", "two-at-once", INTERRUPTS="4", PAIRS="2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^interrupts: 4 signals to 6 commands, \d of which they ended: 0 ended unclearly, 0 left "
        "processes, 0 with another output of the next run$",
        done.stdout,
        re.MULTILINE,
    )
    assert re.search(
        r"^two-at-once: 2 pairs of 7 programs on one output: \d times one was refused, 0 ended "
        "unclearly, 0 outputs are not those of one of both$",
        done.stdout,
        re.MULTILINE,
    )


@pytest.mark.slow
def test_damaged_files_are_named_or_do_no_harm():
    done = stress("damage", DAMAGES="80")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^damage: 80 damaged files, \d+ commands: \d+ unharmed, \d+ other, \d+ named, 0 wrong$",
        done.stdout,
        re.MULTILINE,
    )


@pytest.mark.parametrize("arguments", [["kill"], ["kills", "--kills", "many"]])
def test_a_part_that_is_not_there_is_named(arguments):
    done = stress(*arguments)
    assert done.returncode == 2 and re.search(r"no part kill|--kills", done.stderr)
    assert "Traceback" not in done.stderr
