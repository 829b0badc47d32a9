"""How long things take: candidates in turns within a limit of time, and the parts of a step."""

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
    """Seconds from now on."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start = time.perf_counter()

    def left(self) -> float:
        """Seconds; none, or fewer, once it is over."""
        return self.seconds - (time.perf_counter() - self.start)


def synchronize(device: torch.device) -> None:
    """Waits for what the device has been given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(function: Callable[[], Any], device: torch.device) -> float:
    """Of one call, until the device is done."""
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
    """Calls all candidates, round after round, in an order that moves on by one each round.

    Args:
        candidates: by name, warm already.
        seconds: when no further round begins; a round that would probably end later does not.
        device: to wait for.
        attempt: ``(name, function, *args)``: calls a function that may fail, and returns None if it
            has; such a candidate is left out, with its times.
        least, most: rounds. At least two, or there are no quartiles.

    Returns:
        Seconds of each candidate in each round.
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
    """Ends what waits for other processes, should they be stuck; in the main thread alone.

    Raises:
        TimeoutError: the time is over.
    """

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not done after {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def quartiles(values: Iterable[float]) -> tuple[float, float, float]:
    """The lower one, the median, and the upper one of at least two values."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


class Parts:
    """Splits steps into named parts, by the device's own clock where it has one: the time since the
    last mark belongs to the part that a mark names."""

    def __init__(self, device: torch.device):
        self._cuda = device.type == "cuda"
        self._device = device
        self._marks: list[tuple[str, Any]] = []

    def mark(self, part: str = "") -> None:
        """Ends a part, or without a name begins to count."""
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append((part, event))
        else:
            self._marks.append((part, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """Of each part, since the last call of this method."""
        synchronize(self._device)
        spent: dict[str, float] = defaultdict(float)
        for (_, start), (part, end) in zip(self._marks, self._marks[1:]):
            if part:
                spent[part] += start.elapsed_time(end) / 1000 if self._cuda else end - start
        self._marks.clear()
        return dict(spent)
