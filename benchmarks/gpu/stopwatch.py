"""Timing: candidates that take turns within a limit of time, and the parts of a step."""

from __future__ import annotations

import signal
import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator, Mapping

import torch

Attempt = Callable[..., Any]  # Run.attempt


class Limit:
    """A limit of time that starts now."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.perf_counter()

    def left(self) -> float:
        """Seconds that are left; negative once the limit is over."""
        return self.seconds - (time.perf_counter() - self.start)


def synchronize(device: torch.device) -> None:
    """Waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(function: Callable[[], Any], device: torch.device) -> float:
    """Seconds that one call takes, until the device has finished."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def in_turns(
    candidates: Mapping[str, Callable[[], Any]],
    seconds: float,
    device: torch.device,
    attempt: Attempt,
    *,
    least: int = 2,
    most: int = 50,
) -> dict[str, list[float]]:
    """Calls all candidates in every round, each time in an order that is rotated by one.

    Args:
        candidates: functions by name, already warmed up.
        seconds: limit of time; a round that would probably end later is not begun.
        device: the device to wait for.
        attempt: ``(name, function, *args)``: calls a function that may fail, and returns None if it
            does; such a candidate is left out, with its times.
        least: smallest number of rounds; quartiles need two.
        most: largest number of rounds.

    Returns:
        The seconds of each candidate in each round.
    """
    limit = Limit(seconds)
    names = list(candidates)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(most):
        if turn >= least and limit.left() < (seconds - limit.left()) / turn:
            break
        first = turn % max(len(names), 1)
        for name in names[first:] + names[:first]:
            if name not in times:
                continue
            seconds_taken = attempt(name, seconds_of, candidates[name], device)
            if seconds_taken is None:
                del times[name]
            else:
                times[name].append(seconds_taken)
    return times


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Ends a block that waits for other processes if they hang; only in the main thread.

    Raises:
        TimeoutError: the block takes longer than this time.
    """

    def stop(*_: Any) -> None:
        """Handles the alarm."""
        raise TimeoutError(f"not done after {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


class Parts:
    """Splits steps into named parts, by the clock of the device if it has one.

    The time between two marks belongs to the part that the second mark names.
    """

    def __init__(self, device: torch.device):
        self._cuda = device.type == "cuda"
        self._device = device
        self._marks: list[tuple[str, Any]] = []

    def mark(self, part: str = "") -> None:
        """Ends a part; without a name, begins to count."""
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append((part, event))
        else:
            self._marks.append((part, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """The seconds of each part since the last call of this method."""
        synchronize(self._device)
        spent: dict[str, float] = defaultdict(float)
        for (_, start), (part, end) in zip(self._marks, self._marks[1:]):
            if part:
                spent[part] += start.elapsed_time(end) / 1000 if self._cuda else end - start
        self._marks.clear()
        return dict(spent)
