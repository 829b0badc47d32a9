"""How far a long command is: a bar on a terminal, and a line now and then where there is none."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterable, Iterator, Sized, TextIO

INTERVAL = 30.0  # seconds between two lines
_LONG = 1_000_000  # a bar shortens numbers from here on


class Pace:
    """Tells when a line is due: `interval` seconds after the last one, or after the beginning."""

    def __init__(self, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._interval = interval
        self._next = clock() + interval

    def due(self) -> bool:
        """Whether a line is due now; it then counts as written."""
        now = self.clock()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True


_command_pace: Pace | None = None
_with_bars: weakref.WeakSet[Progress] = weakref.WeakSet()


@contextmanager
def of_one_command(pace: Pace | None = None) -> Iterator[None]:
    """Gives all `Progress` inside the block one pace.

    A command of many short stages then says how far it is, and one of a few seconds says nothing.
    Outside of it, as in a program that imports the package, every `Progress` has a pace of its own.
    Bars that an error or Ctrl-C leaves behind are closed, so that a message has a line to itself.
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

    On a terminal it is tqdm's bar. Elsewhere, or without tqdm, it is whole lines with the count,
    the total, the rate and the time left, at most one every 30 seconds, the first after 30 seconds.
    A stream that is closed, full or gone stops no work: it shows nothing. `Progress` is a context
    manager, and iterates over the items that it is given, each of which counts one.

    Args:
        items: what `iter` goes through.
        total: how many there are; by default the number of the items, if that is known.
        unit: what is counted, in the plural; without one, only the time is told.
        what: the stage, such as "encoding test.de-en.de".
        done: how many were done before.
        work: all the work there is, where the things counted differ in theirs, in any unit; the
            time left then follows the work that `update` is told of.
        leave: whether a terminal keeps the bar when the stage has ended.
        pace: of the lines; by default that of the command.
        stream: by default the standard error.
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
        self._what = what
        self._done = self._start = done
        self._work, self._all_work = 0.0, work
        self._pace = pace or _command_pace or Pace()
        self._begin = self._pace.clock()
        self._stream: TextIO | None = sys.stderr if stream is None else stream
        self._lock = threading.Lock()  # of `beating`
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
        """Says that so many more are done, which took so much work: by default as many."""
        self._done += count
        self._work += count if work is None else work
        if self._bar is not None:
            self._bar.update(count)
        self.tick()

    def tick(self) -> None:
        """Says that it goes on: writes what is due."""
        with self._lock:
            if self._bar is not None:
                if self._bar_pace.due():
                    self._bar.refresh()
            elif self._pace.due():
                _write(f"fairseq-amber: {self.line()}\n", self._stream)

    def describe(self, what: str) -> None:
        """Names the stage, or the part of it that comes now."""
        self._what = what
        if self._bar is not None:
            self._bar.set_description(what, refresh=False)

    def line(self) -> str:
        """What a line says now."""
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
        """Ends the stage; a bar that is not to be left goes."""
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
def beating(progress: Progress, every: float = 1.0) -> Iterator[None]:
    """Lets a stage go on telling the time while one long call holds up its updates.

    It takes a thread, so that no process may be forked inside the block: a child could inherit the
    lock of stderr as the thread held it.
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
    """Tells, `beating`, how long a call that cannot be divided has taken so far."""
    progress = Progress(what=what)
    with progress, beating(progress):
        yield


def say(message: str) -> None:
    """Writes a line on stderr, above the bars that a terminal shows."""
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
    except ImportError:  # `fairseq-amber doctor` is for such installations
        return None

    class Bar(tqdm):
        """tqdm's, without its thread: threads and forks do not mix."""

        monitor_interval = 0

    return Bar


def _shows_bars(stream: TextIO | None) -> bool:
    """Whether it is a terminal, and not one that states a width of 0, where tqdm shows nothing."""
    try:
        if stream is None or not stream.isatty() or _bar_class() is None:
            return False
    except (AttributeError, ValueError):  # no file, or a closed one
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
    """Minutes and seconds, with the hours if there are any: 4:05, 1:04:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
