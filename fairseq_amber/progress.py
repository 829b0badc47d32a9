"""Shows the progress of a long command: a bar on a terminal, or else a line now and then."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterable, Iterator, Sized, TextIO

from fairseq_amber.errors import one_line

INTERVAL = 30.0  # seconds between two lines
_LONG = 1_000_000  # a bar shortens numbers from this one on


class Pace:
    """Tells when a line is due: some seconds after the last line, or after the start.

    Args:
        interval: seconds between two lines.
        clock: the function that tells the time.
    """

    def __init__(self, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._interval = interval
        self._next = clock() + interval

    def due(self) -> bool:
        """Tells whether a line is due now; if so, it counts as written."""
        now = self.clock()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True


_command_pace: Pace | None = None
_with_bars: weakref.WeakSet[Progress] = weakref.WeakSet()


@contextmanager
def command_progress(pace: Pace | None = None) -> Iterator[None]:
    """Gives one pace to every ``Progress`` in the block.

    Thus a command of many short stages shows its progress, and a command of a few seconds shows
    nothing. Outside such a block, as in a program that imports the package, every ``Progress`` has
    its own pace. At the end of the block, bars that an error or Ctrl-C left are closed, so that a
    message starts on a new line.

    Args:
        pace: the pace, by default a new one.
    """
    global _command_pace
    before, _command_pace = _command_pace, pace or Pace()
    try:
        yield
    finally:
        _command_pace = before
        for progress in list(_with_bars):
            progress.close()


class Progress:
    """Shows on stderr how much of a stage is done.

    A terminal shows a bar of tqdm. Otherwise, or without tqdm, there are lines with the count, the
    total, the rate and the time left, at most one every 30 seconds, and the first after 30 seconds.
    If the stream is closed or full, nothing is shown and the work continues. ``Progress`` is a
    context manager and an iterator over the given items, each of which counts as one.

    Args:
        items: the items to iterate over.
        total: number of items; by default ``len(items)``, if ``items`` has a length.
        unit: the name of the items in the plural; without it, only the time is shown.
        what: the name of the stage, such as "encoding test.de-en.de".
        done: number of items that were finished before.
        work: the work of all items, in any unit, if some items are more work than others; the time
            left is then computed from the work that ``update`` is given.
        leave: whether a terminal keeps the bar when the stage has ended.
        pace: when lines are due; by default the pace of the command.
        stream: where to write, by default stderr.
    """

    def __init__(
        self,
        items: Iterable[Any] | None = None,
        *,
        total: int | None = None,
        unit: str = "",
        what: str = "",
        done: int = 0,
        work: float | None = None,
        leave: bool = False,
        pace: Pace | None = None,
        stream: TextIO | None = None,
    ):
        self._items: Iterable[Any] = () if items is None else items
        self._total = len(items) if total is None and isinstance(items, Sized) else total
        self._unit = unit
        self._what = one_line(what)
        self._done = self._start = done
        self._work, self._all_work = 0.0, work
        self._pace = pace or _command_pace or Pace()
        self._begin = self._pace.clock()
        self._stream: TextIO | None = sys.stderr if stream is None else stream
        self._lock = threading.Lock()  # for the thread of ``ticking``
        self._bar = self._make_bar(leave) if _shows_bars(self._stream) else None
        self._bar_pace = Pace(0.5)
        if self._bar is not None:
            _with_bars.add(self)

    def _make_bar(self, leave: bool) -> Any:
        return _bar_class()(
            total=self._total,
            initial=self._done,
            desc=self._what or None,
            unit=f" {self._unit}",
            unit_scale=(self._total or 0) >= _LONG,
            leave=leave,
            file=self._stream,
            dynamic_ncols=True,
            miniters=1,
            bar_format=None if self._unit else "{desc}: {elapsed}",
        )

    def update(self, count: int = 1, work: float | None = None) -> None:
        """Adds finished items.

        Args:
            count: number of items that were finished.
            work: the work of these items, by default ``count``.
        """
        self._done += count
        self._work += count if work is None else work
        if self._bar is not None:
            self._bar.update(count)
        self.tick()

    def tick(self) -> None:
        """Writes a line or renews the bar, if it is due."""
        with self._lock:
            if self._bar is not None:
                if self._bar_pace.due():
                    self._bar.refresh()
            elif self._pace.due():
                _write(f"fairseq-amber: {self.line()}\n", self._stream)

    def describe(self, what: str) -> None:
        """Gives the stage a new name, such as that of the part that comes now."""
        self._what = one_line(what)
        if self._bar is not None:
            self._bar.set_description(self._what, refresh=False)

    def line(self) -> str:
        """Returns the text of a line at this moment."""
        elapsed = self._pace.clock() - self._begin
        parts = []
        if self._unit:
            count = f"{self._done:,}"
            if self._total is None:
                parts.append(f"{count} {self._unit}")
            else:
                share = 100 * self._done // max(1, self._total)
                parts.append(f"{count} of {self._total:,} {self._unit} ({share} %)")
        made = self._done - self._start
        if made > 0 and elapsed > 0:
            parts.append(_rate(made / elapsed))
        left = self._left(elapsed)
        parts.append(f"{_duration(elapsed)} so far" if left is None else f"{_duration(left)} left")
        return (f"{self._what}: " if self._what else "") + ", ".join(parts)

    def _left(self, elapsed: float) -> float | None:
        if self._total is None or self._work <= 0:
            return None
        everything = self._total - self._start if self._all_work is None else self._all_work
        return elapsed * max(0.0, everything / self._work - 1)

    def close(self) -> None:
        """Ends the stage; the bar disappears unless it is to be left."""
        if self._bar is not None:
            self._bar.close()
            _with_bars.discard(self)

    def __iter__(self) -> Iterator[Any]:
        with self:
            for item in self._items:
                yield item
                self.update()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()


@contextmanager
def ticking(progress: Progress, every: float = 1.0) -> Iterator[None]:
    """Shows that a stage continues while one long call delays its updates.

    It starts a thread, so that no process may be forked inside the block: the child could inherit
    a lock of stderr that the thread held.

    Args:
        progress: the progress of the stage.
        every: seconds between two calls of its ``tick``.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every):
            progress.tick()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def heartbeat(what: str) -> Iterator[None]:
    """Shows how long a call that cannot be divided has taken so far; see ``ticking``."""
    progress = Progress(what=what)
    with progress, ticking(progress):
        yield


def print_status(message: str) -> None:
    """Writes a line on stderr, above the bars of a terminal."""
    if _shows_bars(sys.stderr):
        _bar_class().write(message, file=sys.stderr)
    else:
        _write(f"{message}\n", sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()


@functools.lru_cache(maxsize=None)
def _bar_class() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:  # as in an installation that ``fairseq-amber doctor`` examines
        return None

    class Bar(tqdm):
        """A bar of tqdm without its thread, because a fork could inherit the thread's locks."""

        monitor_interval = 0

    return Bar


def _shows_bars(stream: TextIO | None) -> bool:
    """Tells whether a stream is a terminal in which tqdm shows bars, so not one of width 0."""
    try:
        if stream is None or not stream.isatty() or _bar_class() is None:
            return False
    except (AttributeError, ValueError):  # the stream is not a file, or it is closed
        return False
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError):
        return True


def _rate(rate: float) -> str:
    if rate >= 10:
        return f"{rate:,.0f} a second"
    return f"{rate:.1f} a second" if rate >= 1 else f"{1 / rate:,.1f} s each"


def _duration(seconds: float) -> str:
    """Returns minutes and seconds, with the hours if there are any: 4:05, 1:04:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
