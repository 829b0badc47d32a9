"""Damages a file in many ways, and judges what a command does with each."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import signal
import warnings
from itertools import islice
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from fairseq_amber.cli import main

_ERROR = "fairseq-amber: error: "
SECONDS = 60  # a command that takes longer hangs


class Trial(NamedTuple):
    """A command that reads a file.

    Attributes:
        kind: the kind of the file, such as "index".
        file: the file.
        argv: the arguments of ``fairseq-amber``; ``{out}`` stands for an empty folder.
        content: whether a damage may stay unseen because any content would do, such as other
            words in a text. Then the result may differ.
        others: what an error may name in place of the file, such as a flag that takes its content.
        begun: a folder that the output folder holds at the start, as of an interrupted run.
    """

    kind: str
    file: Path
    argv: tuple[str, ...]
    content: bool = False
    others: tuple[str, ...] = ()
    begun: Path | None = None


class Outcome(NamedTuple):
    """What a command did with a damaged file.

    Attributes:
        verdict: "unharmed" (the same result), "other" (another result, where any content would
            do), "named" (one line with the name of the file, and status 2) or "wrong".
        detail: what was wrong.
    """

    verdict: str
    detail: str = ""


def damages(content: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yields damaged versions of a file without end, each with a name; the first ones are cut
    short, then bits flip, bytes are lost, and bytes are overwritten with zeros."""
    size = len(content)
    for length in sorted({0, 1, size // 2, size - 1} - {size}):
        yield f"cut to {length} bytes", content[:length]
    # The heads and ends of files hold what describes the rest.
    places = [lambda: rng.randrange(size), lambda: rng.randrange(min(size, 64))]
    places.append(lambda: size - 1 - rng.randrange(min(size, 64)))
    while True:
        place, bit = rng.choice(places)(), 1 << rng.randrange(8)
        flipped = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        yield f"bit {bit} of byte {place} flipped", flipped
        place = rng.choice(places)()
        yield f"cut to {place} bytes", content[:place]
        lost = rng.randrange(1, 9)
        yield f"{lost} bytes from {place} lost", content[:place] + content[place + lost :]
        zeros = bytes(min(lost, size - place))
        yield f"zeros from {place}", content[:place] + zeros + content[place + len(zeros) :]


def run(trial: Trial, out: Path) -> tuple[int, str, dict[str, bytes]]:
    """Runs the command of a trial: its status, its stderr, and its stdout and files by name."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if trial.begun is not None:
        shutil.copytree(trial.begun, out, dirs_exist_ok=True)
    text, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(errors), _in_time():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status = main([part.format(out=out) for part in trial.argv])
    files = {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }
    return status, errors.getvalue(), {**files, "stdout": text.getvalue().encode()}


def run_whole(trial: Trial, out: Path) -> dict[str, bytes]:
    """Runs the command on whole files, which must succeed: its stdout and files by name."""
    status, errors, expected = run(trial, out)
    assert status == 0, (command_line(trial), errors)
    return expected


def judge(trial: Trial, damaged: bytes, expected: dict[str, bytes], out: Path) -> Outcome:
    """Puts a damaged file in the place of the whole one for one run of the command."""
    whole = trial.file.read_bytes()
    trial.file.write_bytes(damaged)
    try:
        status, errors, found = run(trial, out)
    except BaseException as error:  # what escapes is a traceback to the user
        if isinstance(error, KeyboardInterrupt):
            raise
        return Outcome("wrong", f"{type(error).__name__}: {error}"[:300])
    finally:
        trial.file.write_bytes(whole)
    lines = errors.splitlines()
    if status == 0 and "Traceback" not in errors:
        if found == expected:
            return Outcome("unharmed")
        return Outcome("other") if trial.content else Outcome("wrong", "another result")
    if trial.argv[0] == "doctor":
        lines += found["stdout"].decode().splitlines()[-1:]
    elif sum(line.startswith(_ERROR) for line in lines) != 1:
        lines = []
    # A line after the error would be its second one.
    last = lines[-1] if lines else ""
    named = any(name in last for name in (trial.file.name, trial.file.parent.name, *trial.others))
    if status == 2 and named and "Traceback" not in errors:
        return Outcome("named")
    return Outcome("wrong", f"status {status}: {errors}"[:300])


def check_all(trials: Sequence[Trial], folder: Path, seed: int, each: int) -> None:
    """Damages each file some times, the damages of several seeds being different ones.

    Raises:
        AssertionError: a command did something wrong.
    """
    wrong = []
    for number, trial in enumerate(trials):
        expected = run_whole(trial, folder / "out")
        made = damages(trial.file.read_bytes(), random.Random(f"{seed} {number}"))
        for name, damaged in islice(made, each * seed, each * (seed + 1)):
            outcome = judge(trial, damaged, expected, folder / "out")
            if outcome.verdict == "wrong":
                wrong.append(f"{trial.file}, {name}: {command_line(trial)}: {outcome.detail}")
    assert not wrong, "\n".join(wrong)


def command_line(trial: Trial) -> str:
    """Returns the command as one types it."""
    return json.dumps(["fairseq-amber", *trial.argv], ensure_ascii=False)


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def end(*_):
        raise TimeoutError(f"no end after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
